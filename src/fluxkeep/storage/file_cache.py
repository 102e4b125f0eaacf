"""What is kept of data files between reads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from fluxkeep.datamodel.points import Strings
from fluxkeep.storage.columns import Column

if TYPE_CHECKING:
    from fluxkeep.storage.parquet_files import DataFile


class FileCache:
    """A bounded number of open files, and decoded columns up to a size.

    Of both what has been unused for longest goes first. Safe from any thread.
    """

    def __init__(self, open_files_max: int, bytes_max: int) -> None:
        """Set the limits.

        Args:
            open_files_max: Files whose handle stays open.
            bytes_max: Size of decoded columns; one that alone is bigger is not kept.
        """
        self._open_files_max = open_files_max
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._used: OrderedDict[DataFile, None] = OrderedDict()
        self._columns: OrderedDict[tuple[DataFile, int, str], Column] = OrderedDict()
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes of decoded columns held."""
        return self._nbytes

    def touch(self, file: DataFile) -> None:
        """Note that a file is about to be read."""
        with self._lock:
            if file.gone:
                return
            self._used[file] = None
            self._used.move_to_end(file)
            closing = [self._used.popitem(last=False)[0] for _ in range(len(self._used) - self._open_files_max)]
        for old in closing:
            old.close()

    def find(self, file: DataFile, group: int, column: str) -> Column | None:
        """A column of a row group, if it is remembered."""
        key = (file, group, column)
        with self._lock:
            found = self._columns.get(key)
            if found is not None:
                self._columns.move_to_end(key)
            return found

    def keep(self, file: DataFile, group: int, column: str, values: Column) -> None:
        """Remember a column of a row group."""
        key = (file, group, column)
        if values.nbytes > self._bytes_max:
            return
        if not isinstance(values.values, Strings):
            values.values.setflags(write=False)
        with self._lock:
            if file.gone:
                return
            former = self._columns.pop(key, None)
            self._columns[key] = values
            self._nbytes += values.nbytes - (0 if former is None else former.nbytes)
            while self._nbytes > self._bytes_max:
                self._nbytes -= self._columns.popitem(last=False)[1].nbytes

    def forget(self, file: DataFile) -> None:
        """The file is dropped; its bytes go from the device with the last that reads it."""
        with self._lock:
            file.gone = True
            self._used.pop(file, None)
            for key in [key for key in self._columns if key[0] is file]:
                self._nbytes -= self._columns.pop(key).nbytes
