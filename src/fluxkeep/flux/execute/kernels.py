"""Library functions that row functions call, on columns.

A kernel exists where the whole column gives what the row-by-row function would,
errors included; what may fail on single values has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import ColumnType
from fluxkeep.flux.execute.specialise import Cell, Const, Kernel, NotColumnar, Term, lift
from fluxkeep.flux.interpreter.values import Null
from fluxkeep.formats.annotated_csv import format_column


def _cell(arguments: Mapping[str, Term], name: str = "v") -> Cell:
    term = arguments.get(name)
    if not isinstance(term, Cell):
        raise NotColumnar
    return term


def _float(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    if cell.kind in ("int", "uint", "float", "bool"):
        return Cell(cell.expr.cast(pl.Float64), "float")
    raise NotColumnar


def _int(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    match cell.kind:
        case "int" | "time":
            return Cell(cell.expr, "int")
        case "bool":
            return Cell(cell.expr.cast(pl.Int64), "int")
        case "float":
            return Cell(cell.expr.map_batches(_truncate, return_dtype=pl.Int64), "int")
    raise NotColumnar


def _truncate(values: pl.Series) -> pl.Series:
    """Towards zero; what does not fit is the smallest int, as the reference's machine has it."""
    numbers = values.fill_null(0.0).to_numpy()
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    return pl.select(pl.when(values.is_null()).then(None).otherwise(pl.Series(whole))).to_series()


def _uint(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    if cell.kind in ("uint", "bool"):
        return Cell(cell.expr.cast(pl.UInt64), "uint")
    raise NotColumnar


def _string(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    if cell.kind == "string":
        return cell
    kind = ColumnType(cell.kind)
    if kind is ColumnType.TIME:
        return Cell(cell.expr.cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ"), "string")
    return Cell(cell.expr.map_batches(lambda s: format_column(s, kind), return_dtype=pl.String), "string")


def _time(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    if cell.kind in ("int", "time"):
        return Cell(cell.expr, "time")
    raise NotColumnar


def _bool(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments)
    if cell.kind == "bool":
        return cell
    raise NotColumnar


def _contains(arguments: Mapping[str, Term]) -> Cell:
    cell = _cell(arguments, "value")
    members = arguments.get("set")
    if not isinstance(members, Const) or not isinstance(members.value, list):
        raise NotColumnar
    if cell.kind == "float" or any(isinstance(m, Null) for m in members.value):
        raise NotColumnar
    exprs = [lift(Const(m), cell.kind) for m in members.value]
    if any(e.kind != cell.kind for e in exprs):
        raise NotColumnar
    values = pl.select([e.expr.alias(str(i)) for i, e in enumerate(exprs)]).row(0) if exprs else ()
    # A null value is in no set; what the reference answers is false, not null.
    known = pl.Series(values, dtype=ColumnType(cell.kind).polars)
    return Cell(cell.expr.is_in(known.implode()).fill_null(value=False), "bool")


def _math(function: str) -> Kernel:
    def kernel(arguments: Mapping[str, Term]) -> Cell:
        cell = _cell(arguments, "x")
        if cell.kind != "float":
            raise NotColumnar
        match function:
            case "abs":
                return Cell(cell.expr.abs(), "float")
            case "floor":
                return Cell(cell.expr.floor(), "float")
            case "ceil":
                return Cell(cell.expr.ceil(), "float")
            case _:
                return Cell(cell.expr.sqrt(), "float")

    return kernel


KERNELS: Mapping[str, Kernel] = {
    "universe.float": _float,
    "universe.int": _int,
    "universe.uint": _uint,
    "universe.string": _string,
    "universe.time": _time,
    "universe.bool": _bool,
    "universe.contains": _contains,
    "math.abs": _math("abs"),
    "math.floor": _math("floor"),
    "math.ceil": _math("ceil"),
    "math.sqrt": _math("sqrt"),
}
