"""A table to series of the answer, in chunks.

Source: influxql.md §3.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fluxkeep.formats.v1 import Cut, Result, Series
from fluxkeep.influxql.execute.frames import Table


def emit(
    table: Table, *, statement_id: int, time_name: str, location: str | None, chunk_size: int | None
) -> Iterator[Result]:
    """One result per chunk, which never spans two series, or one for all; without rows one that is empty.

    Args:
        table: By group.
        chunk_size: Rows of a chunk; None puts everything into one.
    """
    frame = table.frame
    if not len(frame):
        yield Result(statement_id=statement_id)
        return
    columns = [time_name, *table.names]
    groups = frame["g"].to_numpy()
    starts = np.concatenate(([0], np.flatnonzero(groups[1:] != groups[:-1]) + 1, [len(groups)])).tolist()
    common = [column for column in frame.iter_columns() if column.name != "g"]

    def cut(group: int, start: int, stop: int, *, partial: bool) -> Series:
        name, tags = table.groups[group]
        return Series(
            name=name,
            tags=tags or None,
            columns=columns,
            data=Cut(common, start, stop),
            timed=True,
            location=location,
            partial=partial,
        )

    whole = zip(groups[starts[:-1]].tolist(), starts[:-1], starts[1:], strict=True)
    if chunk_size is None:
        yield Result(statement_id=statement_id, series=[cut(g, start, stop, partial=False) for g, start, stop in whole])
        return
    for group, start, stop in whole:
        for at in range(start, stop, chunk_size):
            end = min(at + chunk_size, stop)
            series = cut(group, at, end, partial=end < stop)
            yield Result(statement_id=statement_id, series=[series], partial=end < len(groups))
