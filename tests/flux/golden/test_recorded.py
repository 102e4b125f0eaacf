"""Every recorded Flux case, against the engine alone; what does not hold yet is listed with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from tests.flux.golden.runner import GOLDEN, replayer, verdict

from fluxkeep.flux.engine import Engine

FILES = (
    "filter",
    "aggregates",
    "selectors",
    "window",
    "everyday",
    "transformations",
    "map-reduce",
    "join-pivot-union",
    "tables-schema-results",
    "collections",
    "date-timezone",
    "strings-regexp-math",
    "language",
)

# Case name to reason. A case that holds must not be listed, so the list only shrinks.
KNOWN: dict[str, str] = {}


def cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{name}: {case.name}")
        for name in FILES
        for case in replayer().parse((GOLDEN / "flux" / f"{name}.txt").read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("case", cases())
def test_case(case: Any) -> None:
    kind, answers = verdict(case, Engine())
    if case.name in KNOWN:
        assert kind is not None, f"holds now, take it off the list: {KNOWN[case.name]}"
    else:
        assert kind is None, "\n".join(answer.body for answer in answers)
