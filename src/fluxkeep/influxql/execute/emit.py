"""A table to series of the answer, in chunks.

Source: influxql.md §3.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from fluxkeep.formats.v1 import Result, Series
from fluxkeep.influxql.execute.frames import Table


def emit(
    table: Table, *, statement_id: int, time_name: str, location: str | None, chunk_size: int | None
) -> Iterator[Result]:
    """One result per chunk; a chunk never spans two series. Without rows one empty result.

    Args:
        table: By group.
        chunk_size: Rows of a chunk; None puts each series whole into one.
    """
    frame = table.frame
    if not len(frame):
        yield Result(statement_id=statement_id)
        return
    columns = [time_name, *table.names]
    groups = frame["g"].to_numpy()
    starts = np.concatenate(([0], np.flatnonzero(groups[1:] != groups[:-1]) + 1, [len(groups)])).tolist()
    # Lists are made once and cut: a frame a group would cost more than its values.
    values = [column.to_list() for column in frame.iter_columns() if column.name != "g"]
    for start, stop in itertools.pairwise(starts):
        entity = table.groups[int(groups[start])]
        at = start
        while at < stop:
            end = stop if chunk_size is None else min(at + chunk_size, stop)
            series = Series(
                name=entity.name,
                tags=entity.tags or None,
                columns=columns,
                data=[column[at:end] for column in values],
                timed=True,
                location=location,
                partial=end < stop,
            )
            yield Result(statement_id=statement_id, series=[series], partial=end < len(groups))
            at = end
