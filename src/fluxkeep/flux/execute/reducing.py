"""`reduce`: one record a table, built row by row.

Source: flux.md §11.3.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from fluxkeep.datamodel.tables import ORDER, Block, Column, Stream
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.execute.mapping import columns_of_records, evaluation_text
from fluxkeep.flux.execute.regroup import Piece, piece_of_rows, rebuild
from fluxkeep.flux.execute.rows import RowFunction, rows_of
from fluxkeep.flux.interpreter.values import Null, Value, kind_of, nature_of, of_column


def reduce(blocks: Stream, function: RowFunction, identity: Mapping[str, Value]) -> list[Block]:
    """The last accumulator of each table.

    Raises:
        InvalidInput: The function fails or puts a null into the accumulator, or two tables end
            with one key.
    """
    pieces = []
    for block in blocks:
        results: list[dict[str, Value]] = [dict(identity) for _ in range(block.table_count)]
        for table, row in zip(block.ids.to_list(), rows_of(block), strict=True):
            results[table] = _step(function, row, results[table])
        pieces.append(_piece(block, results))
    reduced = rebuild(pieces)
    if sum(b.table_count for b in reduced) < sum(b.table_count for b in blocks):
        raise InvalidInput("two reducers writing result to the same table")
    return reduced


def _step(function: RowFunction, row: dict[str, Value], accumulator: dict[str, Value]) -> dict[str, Value]:
    try:
        value = function.call(row, accumulator=dict(accumulator))
    except FluxkeepError as error:
        raise InvalidInput(evaluation_text("reduce", error)) from error
    if not isinstance(value, dict):
        raise InvalidInput(f"reduce function must return an object, got {nature_of(value)}")
    for label, member in value.items():
        if isinstance(member, Null):
            raise InvalidInput(f'null values are not supported for "{label}" in the reduce() function')
    return value


def _piece(block: Block, results: list[dict[str, Value]]) -> Piece:
    types = {c.label: c.type for c in block.columns}
    records: list[dict[str, Value]] = []
    for table, result in enumerate(results):
        record = {k: of_column(v, types[k]) for k, v in zip(block.key, block.key_values(table), strict=True)}
        record.update({k: result[k] for k in sorted(result)})
        records.append(record)

    def refuse(label: str, value: Value) -> InvalidInput:
        return InvalidInput(f'reduce: column "{label}" cannot hold {kind_of(value)}')

    made = columns_of_records(records, refuse)
    # A key column that is null in every table still has its type.
    columns: dict[str, Column] = {k: Column(k, types[k]) for k in block.key}
    columns.update({k: c for k, (c, _) in made.items()})
    frame = pl.DataFrame(
        [
            block.keys[ORDER],
            *(made[k][1].alias(k) if k in made else block.keys[k] for k in columns),
        ]
    )
    return piece_of_rows(tuple(columns.values()), block.key, frame)
