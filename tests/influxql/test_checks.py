"""Refusals before anything is read: their texts are interface."""

from __future__ import annotations

import pytest

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.plan.compile import compile_select
from fluxkeep.influxql.syntax.ast import Select
from fluxkeep.influxql.syntax.parser import parse


def compiled(text: str) -> None:
    (select,) = parse(text)
    assert isinstance(select, Select)
    compile_select(select, 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("1 + 2", "field must contain at least one variable"),
        ("time", "at least 1 non-time field must be queried"),
        ("v, mean(v)", "mixing aggregate and non-aggregate queries is not supported"),
        ("max(v), min(v), w", "mixing multiple selector functions with tags or fields is not supported"),
        ("distinct(v), mean(v)", "aggregate function distinct() cannot be combined with other functions or fields"),
        ("distinct(v, w)", "distinct function can only have one argument"),
        ("distinct()", "distinct function requires at least one argument"),
        ("distinct(3)", "expected field argument in distinct()"),
        ("count(distinct(3))", "expected field argument in distinct()"),
        ("percentile(v, 'x')", "expected float argument in percentile()"),
        ("sample(v, 0)", "sample window must be greater than 1, got 0"),
        ("sample(v, 1.5)", "expected integer argument in sample()"),
        ("top(v, 0)", "limit (0) in top function must be at least 1"),
        ("top(v, w, x)", "expected integer as last argument in top(), found x"),
        ("top(3, 2)", "expected first argument to be a field in top(), found 3"),
        ("bottom(v, 'x', 2)", "only fields or tags are allowed in bottom(), found 'x'"),
        ("top(v, 1), bottom(v, 1)", "selector function top() cannot be combined with other functions"),
        ("derivative()", "invalid number of arguments for derivative, expected at least 1 but no more than 2, got 0"),
        ("derivative(v, 3)", "second argument to derivative must be a duration, got *influxql.IntegerLiteral"),
        ("elapsed(v, -1s)", "duration argument must be positive, got -1s"),
        ("integral(v, 3)", "second argument must be a duration"),
        (
            "moving_average(v, 1.5)",
            "second argument for moving_average must be an integer, got *influxql.NumberLiteral",
        ),
        ("exponential_moving_average(v, 0)", "exponential_moving_average period must be greater than or equal to 1"),
        ("exponential_moving_average(v, 'x')", "exponential_moving_average period must be an integer"),
        ("relative_strength_index(v, 2, -2)", "relative_strength_index hold period must be greater than or equal to 0"),
        (
            "relative_strength_index(v, 2, 1, 'x')",
            "relative_strength_index warmup type must be one of: 'exponential' 'simple'",
        ),
        (
            "kaufmans_efficiency_ratio(v, 2, 1, 'x')",
            "invalid number of arguments for kaufmans_efficiency_ratio, expected at least 2 but no more than 3, got 4",
        ),
        ("holt_winters(v, 3, 0)", "must use aggregate function with holt_winters"),
        ("holt_winters(mean(v), 0, 0)", "second argument to holt_winters must be greater than 0, got 0"),
        ("holt_winters(mean(v), 1, -1)", "third argument to holt_winters cannot be negative, got -1"),
        ("holt_winters(mean(v), 'x', 1)", "expected integer argument as second arg in holt_winters"),
        ("pow(v)", "invalid number of arguments for pow, expected 2, got 1"),
        ("mean(*) + 1", "unsupported expression with wildcard: mean()"),
        ("mean(/x/) + 1", "unsupported expression with regex field: mean()"),
        ("'a' + 3s", "cannot perform a binary expression on two literals"),
    ],
)
def test_fields(fields: str, message: str) -> None:
    with pytest.raises(QueryError) as refused:
        compiled(f"SELECT {fields} FROM m")
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("clauses", "message"),
    [
        ("WHERE time > 'soon'", "invalid operation: time and *influxql.StringLiteral are not compatible"),
        ("WHERE time > '2024-13-01'", "invalid timestamp string"),
        ("WHERE time != 5", "invalid time comparison operator: !="),
        ("WHERE v + 1", None),
        ("WHERE v", "invalid condition expression: v"),
        ("WHERE time > 9223372036854775807", None),
        ("WHERE time > '2300-01-01'", "time 2300-01-01T00:00:00Z overflows time literal"),
        ("WHERE time > '1600-01-01'", "time 1600-01-01T00:00:00Z underflows time literal"),
        ("GROUP BY time('1h')", "time dimension must have duration argument"),
        ("GROUP BY time(1h, 'x')", "invalid time dimension offset: 'x'"),
        ("GROUP BY time(1h)", "GROUP BY requires at least one aggregate function"),
        ("fill(linear)", "fill(linear) must be used with a function"),
    ],
)
def test_clauses(clauses: str, message: str | None) -> None:
    if message is None:
        compiled(f"SELECT v FROM m {clauses}")
        return
    with pytest.raises(QueryError) as refused:
        compiled(f"SELECT v FROM m {clauses}")
    assert refused.value.message == message


def test_subqueries_are_checked_too() -> None:
    with pytest.raises(QueryError, match="undefined function foo"):
        compiled("SELECT a FROM (SELECT foo(v) AS a FROM m)")


def test_ranges_and_intervals_reach_inside() -> None:
    (select,) = parse(
        "SELECT max(a) FROM (SELECT mean(v) AS a FROM m WHERE time < 9s) WHERE time >= 3s GROUP BY time(2s)"
    )
    assert isinstance(select, Select)
    inner = compile_select(select, 20_000_000_000).sources[0]
    assert not hasattr(inner, "regex")
    assert (inner.bounds.first, inner.bounds.last) == (3_000_000_000, 8_999_999_999)
    assert inner.interval == 2_000_000_000
