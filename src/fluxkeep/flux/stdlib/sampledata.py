"""`sampledata`: the small tables of the documentation's examples.

Source: flux.md §13; recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxkeep.datamodel.tables import Column, ColumnType, make_block
from fluxkeep.datamodel.tables import Value as Cell
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Time, Value
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import SECOND, parse_rfc3339

PACKAGE = Package("sampledata")
_START = parse_rfc3339("2021-01-01T00:00:00Z")
PACKAGE.values["start"] = Time(_START)
PACKAGE.values["stop"] = Time(_START + 60 * SECOND)

_Data = tuple[Sequence[Cell], Sequence[Cell]]
_NULLS = ((1, 2, 5), (0, 3, 5))
_NUMBERS = ((-2, 10, 7, 17, 15, 4), (19, 4, -3, 19, 13, 1))
_SETS: dict[str, tuple[ColumnType, _Data]] = {
    "float": (ColumnType.FLOAT, ((-2.18, 10.92, 7.35, 17.53, 15.23, 4.43), (19.85, 4.97, -3.75, 19.77, 13.86, 1.86))),
    "int": (ColumnType.INT, _NUMBERS),
    "uint": (ColumnType.UINT, tuple([n % (1 << 64) for n in tag] for tag in _NUMBERS)),  # type: ignore[dict-item]
    "string": (
        ColumnType.STRING,
        (
            ("smpl_g9qczs", "smpl_0mgv9n", "smpl_phw664", "smpl_guvzy4", "smpl_5v3cce", "smpl_s9fmgy"),
            ("smpl_b5eida", "smpl_eu4oxp", "smpl_5g7tz4", "smpl_sox1ut", "smpl_wfm757", "smpl_dtn2bv"),
        ),
    ),
    "bool": (ColumnType.BOOL, ((True, True, False, True, False, False), (False, True, False, True, True, False))),
    "numericBool": (ColumnType.INT, ((1, 1, 0, 1, 0, 0), (0, 1, 0, 1, 1, 0))),
}


def _sample(name: str) -> Callable[[Call], Value]:
    kind, data = _SETS[name]

    def run(call: Call) -> Value:
        gaps = _NULLS if call.bool("includeNull", default=False) else ((), ())
        values: list[Cell] = [
            None if i in gap else v for tag, gap in zip(data, gaps, strict=True) for i, v in enumerate(tag)
        ]
        times = [_START + i * 10 * SECOND for i in range(6)] * 2
        columns = (Column("_time", ColumnType.TIME), Column("tag", ColumnType.STRING), Column("_value", kind))
        rows: dict[str, Sequence[Cell]] = {"_time": times, "_value": values}
        block = make_block(columns, ("tag",), [("t1",), ("t2",)], rows, [0] * 6 + [1] * 6)
        return call.node(Effect(f"sampledata.{name}", lambda _, __: [block]))

    return run


for _name in _SETS:
    PACKAGE.function("?includeNull", _name)(_sample(_name))
