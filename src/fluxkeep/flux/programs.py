"""Programs that were parsed and checked, by their text: dashboards ask the same again and again.

What parsing and checking find depends on the text alone, not on the clock, the
caller or the data, so an answer may be used for everybody. Trees are frozen.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxkeep.flux.syntax import ast

# A tree takes about a hundred times the bytes of its text.
_CHARS_MAX = 256 * 1024


class Programs:
    """A bounded memory of checked programs; the ones that were asked for longest ago go first.

    Args:
        chars_max: Of all texts kept; longer ones than a sixteenth of it are not kept at all.
    """

    def __init__(self, chars_max: int = _CHARS_MAX) -> None:
        self._chars_max = chars_max
        self._kept: OrderedDict[str, ast.File] = OrderedDict()
        self._chars = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def checked(self, text: str) -> ast.File:
        """The tree of a script that may run.

        Raises:
            FluxkeepError: As `parse` and `check`; a faulty text is not kept.
        """
        with self._lock:
            found = self._kept.get(text)
            if found is not None:
                self._kept.move_to_end(text)
                return found
        from fluxkeep.flux.semantic.check import check
        from fluxkeep.flux.syntax.parser import parse

        file = parse(text)
        check(file)
        if len(text) <= self._chars_max // 16:
            self._keep(text, file)
        return file

    def _keep(self, text: str, file: ast.File) -> None:
        with self._lock:
            if text in self._kept:
                return
            self._kept[text] = file
            self._chars += len(text)
            while self._chars > self._chars_max:
                oldest, _ = self._kept.popitem(last=False)
                self._chars -= len(oldest)
