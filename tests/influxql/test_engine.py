"""The engine as its callers see it: sequence of statements, names, permissions, chunks, and push-down."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.influxql.kit import MemorySources, ask, lines

from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.point_rows import point
from fluxkeep.influxql.engine import execute
from fluxkeep.influxql.execute.pushdown import PushedDown
from fluxkeep.influxql.sources import Mapping

DATA = """cpu,host=a usage=1.5,n=1i 1000000000
cpu,host=a usage=3,n=2i 2000000000
cpu,host=b usage=2,n=3i 1000000000
cpu,host=b usage=5,n=4i,note="x" 61000000000
mem,host=a free=7u 1000000000"""


@pytest.fixture
def sources() -> MemorySources:
    return MemorySources({"db": lines(DATA), "plant/raw": lines("m v=1 1"), "other": lines("m v=2 1")})


def results(sources: MemorySources, query: str, params: str = "db=db") -> list[dict[str, object]]:
    status, _, body = ask(sources, query, params=params)
    assert status == 200
    answers: list[dict[str, object]] = json.loads(body).get("results", [])
    return answers


def rows(
    sources: MemorySources, query: str, params: str = "db=db&epoch=s"
) -> list[tuple[dict[str, str], list[object]]]:
    (result,) = results(sources, query, params)
    assert "error" not in result, result
    return [(s.get("tags", {}), s["values"]) for s in result.get("series", [])]  # type: ignore[attr-defined]


def test_what_follows_an_error_is_not_executed(sources: MemorySources) -> None:
    answers = results(sources, "SELECT foo(usage) FROM cpu; SELECT usage FROM cpu; SHOW DATABASES")
    assert answers == [
        {"statement_id": 0, "error": "undefined function foo()"},
        {"statement_id": 1, "error": "not executed"},
        {"statement_id": 2, "error": "not executed"},
    ]


def test_a_form_that_is_not_supported_lets_the_rest_run(sources: MemorySources) -> None:
    answers = results(sources, "SHOW MEASUREMENTS ON *; SHOW MEASUREMENTS")
    assert "error" in answers[0]
    assert answers[1]["series"] == [{"name": "measurements", "columns": ["name"], "values": [["cpu"], ["mem"]]}]


class Restricted(MemorySources):
    """Everything may be read and nothing written, or the other way round."""

    readable = True

    def mappings(self) -> list[Mapping]:
        return [replace(m, readable=self.readable, writable=not self.readable) for m in super().mappings()]


def test_deleting_needs_write_permission() -> None:
    sources = Restricted({"db": lines(DATA)})
    assert results(sources, "DELETE FROM cpu") == [{"statement_id": 0, "error": "insufficient permissions"}]
    assert results(sources, "DROP MEASUREMENT cpu") == [{"statement_id": 0, "error": "insufficient permissions"}]
    assert len(rows(sources, "SELECT usage FROM cpu")[0][1]) == 4


def test_what_may_not_be_read_is_not_there() -> None:
    sources = Restricted({"db": lines(DATA)})
    sources.readable = False
    assert results(sources, "SELECT usage FROM cpu") == [{"statement_id": 0, "error": "database not found: db"}]
    assert results(sources, "SHOW DATABASES")[0]["series"] == [{"name": "databases", "columns": ["name"]}]
    assert results(sources, "SHOW MEASUREMENTS") == [{"statement_id": 0}]
    assert results(sources, "DELETE FROM cpu") == []


def test_delete_refuses_fields_and_knows_policies(sources: MemorySources) -> None:
    assert results(sources, "DELETE FROM cpu WHERE usage = 'x'") == [
        {"statement_id": 0, "error": "fields not supported in WHERE clause during deletion"}
    ]
    missing = "no dbrp mappings found: db=db, rp=p, please check to make sure db and rp exist"
    assert results(sources, "DELETE FROM p.cpu") == [{"statement_id": 0, "error": missing}]
    assert results(sources, "DELETE FROM /^c/ WHERE time < 2s AND host =~ /a|b/") == []
    assert rows(sources, "SELECT count(usage) FROM cpu") == [({}, [[0, 2]])]


def test_databases_named_in_the_query(sources: MemorySources) -> None:
    assert rows(sources, 'SELECT v FROM "plant"."raw".m', "epoch=ns") == [({}, [[1, 1]])]
    assert rows(sources, 'SELECT v FROM "other"..m', "epoch=ns") == [({}, [[1, 2]])]
    assert rows(sources, 'SELECT sum(v) FROM "other"..m, "plant".raw.m', "epoch=ns") == [({}, [[0, 3]])]


def test_descending_groups_come_in_reverse(sources: MemorySources) -> None:
    found = rows(sources, "SELECT usage FROM cpu GROUP BY host ORDER BY time DESC")
    assert [tags["host"] for tags, _ in found] == ["b", "a"]
    assert found[1][1] == [[2, 3], [1, 1.5]]


def test_a_measurement_is_a_series_each(sources: MemorySources) -> None:
    (result,) = results(sources, "SELECT * FROM /./", "db=db&epoch=s")
    found = result["series"]
    assert isinstance(found, list)
    assert [s["name"] for s in found] == ["cpu", "mem"]
    assert found[0]["columns"] == ["time", "free", "host", "n", "note", "usage"]
    assert found[1]["values"] == [[1, 7, "a", None, None, None]]


def test_unbounded_windows_begin_at_the_first_point_and_end_now(sources: MemorySources) -> None:
    values = execute(
        "SELECT count(usage) FROM cpu GROUP BY time(30s), host", sources=sources, now_ns=95_000_000_000, database="db"
    )
    found = {s.tags["host"]: s.lists()[1] for r in values for s in r.series if s.tags}
    assert found == {"a": [2, 0, 0, 0], "b": [1, 0, 1, 0]}


def test_chunks_end_at_series(sources: MemorySources) -> None:
    _, _, body = ask(sources, "SELECT usage FROM cpu GROUP BY host", params="db=db&epoch=s&chunked=true&chunk_size=9")
    documents = [json.loads(line)["results"][0] for line in body.splitlines()]
    assert [d.get("partial", False) for d in documents] == [True, False]
    assert [d["series"][0]["tags"]["host"] for d in documents] == ["a", "b"]


def test_strings_and_booleans_have_no_mean(sources: MemorySources) -> None:
    (answer,) = results(sources, "SELECT mean(note) FROM cpu")
    assert answer["error"] == "unsupported mean iterator type: *query.stringInterruptIterator"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT top(usage, 2) FROM cpu", [[2, 3], [61, 5]]),
        ("SELECT top(usage, host, 2) FROM cpu", [[2, 3, "a"], [61, 5, "b"]]),
        ("SELECT usage - n FROM cpu WHERE host = 'a'", [[1, 0.5], [2, 1]]),
        ("SELECT n / 2 FROM cpu WHERE n = 3", [[1, 1.5]]),
        ("SELECT -n % 2 FROM cpu WHERE n = 3", [[1, -1]]),
        ("SELECT pow(n, 2) FROM cpu WHERE n >= 3", [[1, 9], [61, 16]]),
        ("SELECT n FROM cpu WHERE host !~ /b/ AND n != 1", [[2, 2]]),
        ("SELECT n FROM cpu WHERE note =~ /x/", [[61, 4]]),
        ("SELECT n FROM cpu WHERE n > 1 AND n < 4 LIMIT 1", [[1, 3]]),
        ("SELECT n FROM cpu WHERE n = 1 OR note = 'x'", [[1, 1], [61, 4]]),
        ("SELECT count(distinct(host)) FROM cpu", None),
        ("SELECT max(m) FROM (SELECT mean(usage) AS m FROM cpu GROUP BY host)", [[0, 3.5]]),
        ("SELECT first(n), last(n) FROM cpu", [[0, 3, 4]]),
        ("SELECT count(distinct(host)) FROM (SELECT n, host FROM cpu)", [[0, 2]]),
        ("SELECT host FROM (SELECT n, host FROM cpu) WHERE host != 'a' LIMIT 1", [[1, "b"]]),
        ("SELECT n FROM (SELECT n FROM cpu) WHERE host = 'a'", None),
        ("SELECT sum(n) / count(n) FROM cpu", [[0, 2.5]]),
        ("SELECT abs(n - 3) FROM cpu WHERE host = 'a'", [[1, 2], [2, 1]]),
    ],
)
def test_answers(sources: MemorySources, query: str, expected: object) -> None:
    found = rows(sources, query)
    assert found == ([] if expected is None else [({}, expected)])


def test_fields_may_have_names_that_are_ours() -> None:
    sources = MemorySources({"db": lines("m g=1,sid=2,v=3,r0=4,w=5 1000000000")})
    assert rows(sources, "SELECT sid, g, v, r0, w FROM m WHERE sid = 2 AND g > 0") == [({}, [[1, 2, 1, 3, 4, 5]])]
    assert rows(sources, "SELECT max(sid), g FROM (SELECT sid, g FROM m)") == [({}, [[1, 2, 1]])]


def test_of_equal_names_inside_the_first_is_seen_outside(sources: MemorySources) -> None:
    assert rows(sources, "SELECT x FROM (SELECT n AS x, usage AS x FROM cpu) LIMIT 1") == [({}, [[1, 1]])]


def test_ranges_past_the_ends_of_time_are_empty(sources: MemorySources) -> None:
    for condition in ("time > 9223372036854775807", "time < -9223372036854775808", "time < 5 AND time > 9"):
        for fields in ("usage", "mean(usage)", "derivative(usage)"):
            assert rows(sources, f"SELECT {fields} FROM cpu WHERE {condition}") == []
        assert rows(sources, f"SELECT mean(usage) FROM cpu WHERE {condition} GROUP BY time(1s) fill(0)") == []


def test_windows_are_bounded(sources: MemorySources) -> None:
    (answer,) = results(sources, "SELECT mean(usage) FROM cpu WHERE time > 0 GROUP BY time(1ns)")
    assert str(answer["error"]).startswith("max-select-buckets limit exceeded: (")


VALUES = st.one_of(st.integers(-5, 5), st.integers(-8, 8).map(lambda n: n / 4))
POINTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 40), st.integers(-5, 5), VALUES),
    min_size=1,
    max_size=25,
)


@given(
    POINTS,
    st.sampled_from(["count", "sum", "mean", "min", "max", "first", "last"]),
    st.sampled_from(
        ["{}(f)", "{}(i)", "{}(f), {}(i), sum(f)", "{}(*)", "derivative({}(f), 1s), {}(i)", "{}(f), {}(nope)"]
    ),
    st.sampled_from(
        ["", "GROUP BY h", "GROUP BY *", "GROUP BY time(7s)", "GROUP BY time(10s, 3s), h fill(none)", "GROUP BY nope"]
    ),
    st.sampled_from(["time >= 3s AND time < 30s", "time >= 0 AND time < 41s AND z != 'x'"]),
    st.sampled_from(["", " ORDER BY time DESC"]),
)
@settings(max_examples=150, deadline=None)
def test_pushed_down_equals_computed_here(
    points: list[tuple[str, str, int, int, float]], name: str, columns: str, group: str, where: str, order: str
) -> None:
    if "derivative" in columns and "time(" not in group:
        group = "GROUP BY time(7s)"
    reader = MemoryReader(
        point("m", {"h": h, "z": z}, {"i": i, "f": float(f)}, t * 1_000_000_000) for h, z, t, i, f in points
    )
    sources = MemorySources({"db": reader})
    query = f"SELECT {columns.replace('{}', name)} FROM m WHERE {where} {group}{order}"
    pushed = results(sources, query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PushedDown, "find", lambda *_: None)
        computed = results(sources, query)
    assert json.dumps(pushed) == json.dumps(computed)


def test_a_chain_of_conditions_has_an_end(sources: MemorySources) -> None:
    chain = " OR ".join(f"host = 'h{i}'" for i in range(3_000))
    answers = results(sources, f"SELECT v FROM m WHERE {chain}; SHOW DATABASES")
    assert answers[0] == {"statement_id": 0, "error": "the statement's expression is too long"}
    assert "error" not in answers[1]
