"""Getting ready for the first query while nobody waits for it.

The engines and the column library that they stand on take a second to import,
which the server's start does not wait for. Whoever asks before this is done
imports them itself.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from fluxkeep.datamodel.reader import Reader
from fluxkeep.errors import NotFound
from fluxkeep.flux.sources import BucketInfo

# Long enough for clients that waited for the port to be answered first.
_DELAY_SECONDS = 2.0

_SCRIPT = 'import "array" array.from(rows: [{_time: 2020-01-01T00:00:00Z, _value: 1.0, tag: "a"}]) |> group() |> mean()'


class WarmUp:
    """Runs a query of each language on a thread of its own, a while after the start."""

    def __init__(self, delay_seconds: float = _DELAY_SECONDS) -> None:
        self._delay_seconds = delay_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """Give it up if it has not begun, else let it finish: what is half imported must not meet the process's end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if not self._stopping.wait(self._delay_seconds):
            warm_up()


def warm_up() -> None:
    """Import what queries need and run one of each language, on no data."""
    from fluxkeep.flux.engine import Engine
    from fluxkeep.formats.annotated_csv import encode
    from fluxkeep.influxql.engine import execute
    from fluxkeep.influxql.sources import Mapping

    class Nothing:
        """Sources without a bucket, for either language."""

        def reader(self, *_: object, **__: object) -> Reader:
            raise NotFound("nothing is here")

        def buckets(self) -> Sequence[BucketInfo]:
            return ()

        def mappings(self) -> Sequence[Mapping]:
            return ()

        def delete(self, *_: object) -> None:
            raise NotFound("nothing is here")

    for _ in encode(Engine().run(_SCRIPT, now_ns=0, sources=Nothing())):
        pass
    for _ in execute("SHOW DATABASES", sources=Nothing(), now_ns=0):
        pass
