"""What moves into a read, and that it answers as the operators above an unaided read do."""

from __future__ import annotations

import pytest
from tests.flux.golden.runner import NOW_NS, MemorySources, standing

from fluxkeep.datamodel.tables import Stream, runs
from fluxkeep.flux.engine import Engine

CPU = 'from(bucket: "cpu") |> range(start: 2024-01-01T12:00:00Z, stop: 2024-01-01T12:05:00Z)'
SENSORS = 'from(bucket: "sensors") |> range(start: 2024-03-01T00:00:00Z, stop: 2024-03-01T00:30:00Z)'
USER = '|> filter(fn: (r) => r._field == "user")'


def rows(blocks: Stream) -> list[tuple[tuple[str, object], ...]]:
    """Rows as label and value pairs, whatever the order of tables and columns; nulls left out."""
    found = []
    for run in runs(blocks):
        block = run.block
        labels = block.labels
        for row in block.frame().iter_rows():
            if run.start <= row[0] < run.stop:
                pairs = zip(labels, row[1:], strict=True)
                found.append(tuple(sorted((k, v) for k, v in pairs if v is not None)))
    return sorted(found, key=repr)


def answer(text: str, *, push_down: bool) -> list[list[tuple[tuple[str, object], ...]]]:
    results = Engine(push_down=push_down).run(text, now_ns=NOW_NS, sources=MemorySources(standing()))
    return [rows(result.blocks) for result in results]


@pytest.mark.parametrize(
    "text",
    [
        f"{CPU} {USER}",
        f'{CPU} |> filter(fn: (r) => r._field == "user" and r._value > 20.0 and r.host =~ /a$/)',
        f"{CPU} |> filter(fn: (r) => r._field =~ /^(user|load)$/ and r._time >= 2024-01-01T12:01:00Z)",
        f'{SENSORS} |> filter(fn: (r) => r._field == "temp" and exists r.floor)',
        f'{SENSORS} |> filter(fn: (r) => r._field == "temp" and not exists r.floor)',
        *(f"{CPU} {USER} |> {agg}()" for agg in ("count", "sum", "mean", "min", "max", "first", "last")),
        *(
            f'{SENSORS} |> filter(fn: (r) => r._field == "temp") |> aggregateWindow(every: {every}, fn: {agg}{more})'
            for agg in ("count", "sum", "mean", "min", "max", "first", "last")
            for every in ("4m", "7m")
            for more in ("", ", createEmpty: false", ', timeSrc: "_start"')
        ),
        f"{CPU} {USER} |> window(every: 1m) |> max()",
        f"{CPU} {USER} |> window(every: 1m) |> count()",
        f"{CPU} {USER} |> limit(n: 3, offset: 2)",
        f"{CPU} {USER} |> range(start: 2024-01-01T12:01:00Z, stop: 2024-01-01T12:02:00Z) |> sum()",
    ],
)
def test_a_pushed_read_answers_as_the_operators_do(text: str) -> None:
    pushed, unaided = answer(text, push_down=True), answer(text, push_down=False)
    assert pushed == unaided
    assert pushed != [[]]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        (f"{CPU} {USER}", "scan cpu where _field == 'user'"),
        (
            f"{CPU} {USER} |> aggregateWindow(every: 1m, fn: mean)",
            "scan cpu where _field == 'user' mean every 1m by _stop",
        ),
        (f'{CPU} {USER} |> group(columns: ["region"]) |> sum()', "scan cpu where _field == 'user' group [region] sum"),
        (f"{CPU} {USER} |> limit(n: 2)", "limit 2 offset 0\n  scan cpu where _field == 'user' limit 2"),
        (
            f'{CPU} |> filter(fn: (r) => r._field == "user" and r._value * 2.0 > 3.0)',
            "filter\n  scan cpu where _field == 'user'",
        ),
        (f'{CPU} |> filter(fn: (r) => r._field == "user", onEmpty: "keep")', "filter\n  scan cpu"),
        (f'{CPU} |> filter(fn: (r) => r.host == "")', "filter\n  scan cpu"),
        (f"{CPU} |> window(every: 1m, offset: -10s) |> count()", "count\n  window\n    scan cpu"),
    ],
)
def test_plans(text: str, plan: str) -> None:
    explained = Engine().explain(text, now_ns=NOW_NS, sources=MemorySources(standing()))
    assert explained == f"_result:\n{plan}"


def test_a_read_that_two_results_use_is_left_as_it_is() -> None:
    text = f'data = {CPU}\ndata |> count() |> yield(name: "a")\ndata |> sum() |> yield(name: "b")'
    explained = Engine().explain(text, now_ns=NOW_NS, sources=MemorySources(standing()))
    assert explained.count("  scan cpu") == 2
    assert "scan cpu count" not in explained
