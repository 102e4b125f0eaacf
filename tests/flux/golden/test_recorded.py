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
    "monitor-tasks-write",
)

# Case name to reason. A case that holds must not be listed, so the list only shrinks.
_REQUEST = "decided by the API before a script is read; replayed over HTTP"
_FAULT = "a fault of the reference that is not worth copying"
KNOWN: dict[str, str] = {
    "mode of grouped": f"{_FAULT}: one null row for each series of a group",
    "map splits a table by a changed key": f"{_FAULT}: rows of two keys in one table",
    "map with a nested function": f"{_FAULT}: a function's parameters are lost in a block",
    "holtWinters with fit": "the reference's search ends in a worse minimum: squared errors of 44.2 against 37.8",
    "dialect with a comment prefix": _REQUEST,
    "dialect with a long delimiter": _REQUEST,
    "raw request that is empty": _REQUEST,
    "csv two results": "the error comes before the first result, not after it",
    "to with another type for a field": "a reader in memory has no shards whose types clash; replayed over HTTP",
    "to by org": "organizations are not told apart by sources",
    "pagerduty.dedupKey": "needs a digest",
    "pagerduty.dedupKey with exclusions": "needs a digest",
    "requests without a method": "http/requests is not built",
    "requests with a broken url": "http/requests is not built",
}


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
