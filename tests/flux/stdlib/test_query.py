"""`experimental/query`: the short forms read what the long ones do."""

from __future__ import annotations

import pytest
from tests.flux.golden.runner import NOW_NS, MemorySources, standing

from fluxkeep.flux.engine import Engine
from fluxkeep.formats.annotated_csv import encode

BOUNDS = "start: 2024-01-01T12:00:00Z, stop: 2024-01-01T12:01:00Z"
LONG = f'from(bucket: "cpu") |> range({BOUNDS}) |> filter(fn: (r) => r._measurement == "cpu" and r._field == "user")'


@pytest.mark.parametrize(
    "short",
    [
        (
            f'query.fromRange(bucket: "cpu", {BOUNDS}) |> query.filterMeasurement(measurement: "cpu")'
            ' |> query.filterFields(fields: ["user"])'
        ),
        f'query.inBucket(bucket: "cpu", {BOUNDS}, measurement: "cpu", fields: ["user"])',
        f'query.inBucket(bucket: "cpu", {BOUNDS}, measurement: "cpu", predicate: (r) => r._field == "user")',
    ],
)
def test_short_forms(short: str) -> None:
    sources = MemorySources(standing())
    answers = [
        b"".join(encode(Engine().run(text, now_ns=NOW_NS, sources=sources)))
        for text in (f'import "experimental/query"\n{short}', LONG)
    ]
    assert answers[0] == answers[1]
    assert b"alpha" in answers[0]
