"""The engine as its callers see it: when it fails, what extern and options do, what it may occupy."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.flux.golden.runner import NOW_NS, MemorySources, standing

from fluxkeep.datamodel.reader import Reader
from fluxkeep.errors import FluxkeepError, InvalidInput, NotFound, Unsupported
from fluxkeep.flux.engine import Engine
from fluxkeep.flux.sources import BucketInfo
from fluxkeep.flux.syntax.parser import parse
from fluxkeep.formats.annotated_csv import Dialect, encode

SOURCES = MemorySources(standing())
CPU = 'from(bucket: "cpu") |> range(start: 2024-01-01T12:00:00Z, stop: 2024-01-01T12:01:00Z)'


def csv(text: str, engine: Engine | None = None, extern: str | None = None) -> list[str]:
    chosen = engine or Engine()
    parsed = parse(extern) if extern is not None else None
    results = chosen.run(text, now_ns=NOW_NS, sources=SOURCES, extern=parsed)
    return b"".join(encode(results, Dialect())).decode().split("\r\n")


def test_what_fails_before_execution_fails_before_anything_is_read() -> None:
    for text in ('from(bucket: "nope") |> range(start: -1h)', 'from(bucket: "cpu")', "foo()", "1 +", "x = 1"):
        with pytest.raises(FluxkeepError):
            Engine().run(text, now_ns=NOW_NS, sources=SOURCES)


def test_an_unknown_bucket_is_not_found() -> None:
    with pytest.raises(NotFound, match='failed to initialize execute state: could not find bucket "nope"'):
        Engine().run('from(bucket: "nope") |> range(start: -1h)', now_ns=NOW_NS, sources=SOURCES)


def test_a_later_result_fails_after_an_earlier_one_is_out() -> None:
    failing = f'{CPU} |> drop(columns: ["_time"]) |> range(start: 0) |> yield(name: "b")'
    text = f'{CPU} |> count() |> yield(name: "a")\n{failing}'
    results = Engine().run(text, now_ns=NOW_NS, sources=SOURCES)
    assert next(results).name == "a"
    with pytest.raises(InvalidInput, match=r"runtime error @2:.*: range: range error: supplied time column"):
        next(results)


def test_extern_comes_before_the_script() -> None:
    extern = 'option v = {bucket: "cpu", timeRangeStart: 2024-01-01T12:00:00Z, timeRangeStop: 2024-01-01T12:01:00Z}'
    text = (
        "from(bucket: v.bucket) |> range(start: v.timeRangeStart, stop: v.timeRangeStop)"
        ' |> filter(fn: (r) => r._field == "user") |> group() |> count() |> keep(columns: ["_value"])'
    )
    assert csv(text, extern=extern) == [",result,table,_value", ",_result,0,18", "", ""]


def test_now_is_one_instant_for_a_query() -> None:
    rows = csv('import "array"\narray.from(rows: [{same: now() == now(), at: now()}])')
    assert rows[1] == ",_result,0,true,2024-06-01T00:00:00Z"
    rows = csv('import "array"\noption now = () => 2020-01-01T00:00:00Z\narray.from(rows: [{at: now()}])')
    assert rows[1] == ",_result,0,2020-01-01T00:00:00Z"


def test_a_query_may_not_occupy_more_than_its_limit() -> None:
    assert csv(f"{CPU} |> map(fn: (r) => r)", Engine(memory_bytes_max=1 << 20))[0]
    with pytest.raises(InvalidInput, match="memory allocation limit reached"):
        csv(f"{CPU} |> map(fn: (r) => r)", Engine(memory_bytes_max=1000))


def test_tables_are_let_go_when_no_one_needs_them() -> None:
    # Twenty steps over the same rows fit where a few copies of them do.
    steps = " |> map(fn: (r) => r)" * 20
    assert csv(f"{CPU}{steps} |> count()", Engine(memory_bytes_max=100_000))[0]


class ReadOnly:
    """Sources without a writer."""

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:
        return SOURCES.reader(bucket=bucket, bucket_id=bucket_id)

    def buckets(self) -> list[BucketInfo]:
        return []


def test_sources_that_cannot_write_refuse_to() -> None:
    with pytest.raises(Unsupported, match="writing from a script"):
        Engine().run(f'{CPU} |> to(bucket: "cpu")', now_ns=NOW_NS, sources=ReadOnly())


def test_importing_the_engine_imports_nothing_heavy() -> None:
    code = "import sys, fluxkeep.flux.engine; sys.exit('polars' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
