"""Every recorded line of the reference, at the parser: what it takes, what it makes of it, how it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fluxkeep.datamodel.point_rows import rows_of
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import Parsed, parse, pure

GOLDEN = Path(__file__).parents[1] / "golden" / "http" / "write-lines.jsonl"
NOW = 1_800_000_000_000_000_000
EXCHANGES = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()[1:]]
WRITES = [e for e in EXCHANGES if e["request"]["path"].startswith("/api/v2/write")]
# A write that is read back is followed by the reading.
READ_BACK = [
    (write, read)
    for write, read in itertools.pairwise(EXCHANGES)
    if write in WRITES and read["request"]["path"].startswith("/query")
]
Parse = Callable[..., Parsed]


@pytest.fixture(params=[parse, pure.parse], ids=["native", "pure"])
def parser(request: pytest.FixtureRequest) -> Parse:
    made: Parse = request.param
    return made


@pytest.mark.parametrize("exchange", WRITES, ids=[e["name"][:60] for e in WRITES])
def test_lines_are_taken_or_refused_as_recorded(exchange: dict[str, Any], parser: Parse) -> None:
    parsed = parser(exchange["request"]["text"].encode(), precision=Precision.NS, now_ns=NOW)
    response = exchange["response"]
    expected = "" if response["status"] == 204 else response["json"]["message"]
    assert parsed.report == expected
    assert (parsed.error_count > 0) == (response["status"] == 400)


def _table(parsed: Parsed) -> dict[tuple[str, int, str], Any]:
    """(measurement, time, column) to value, as `SELECT *` shows it; the last write of a point wins."""
    table: dict[tuple[str, int, str], Any] = {}
    for series, field, _, time, value in rows_of(parsed.batch):
        tags = dict(series.tags)
        at = ",".join(f"{k}={v}" for k, v in series.tags)
        table[series.measurement, time, at + "|" + field] = value
        for key, text in tags.items():
            table[series.measurement, time, at + "|" + key + ("_1" if key == field else "")] = text
    return table


@pytest.mark.parametrize(("write", "read"), READ_BACK, ids=[w["name"][:60] for w, _ in READ_BACK])
def test_what_was_taken_reads_back_as_recorded(write: dict[str, Any], read: dict[str, Any], parser: Parse) -> None:
    parsed = parser(write["request"]["text"].encode(), precision=Precision.NS, now_ns=NOW)
    result = read["response"]["json"]["results"][0]
    expected = [
        (series["name"], row[0], column, _plain(value))
        for series in result.get("series", [])
        for row in series["values"]
        for column, value in zip(series["columns"], row, strict=True)
        if column != "time" and value is not None
    ]
    got = [(name, time, column.split("|")[1], _plain(value)) for (name, time, column), value in _table(parsed).items()]
    assert sorted(got, key=repr) == sorted(expected, key=repr)


def _plain(value: Any) -> Any:
    """JSON writes whole floats without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
