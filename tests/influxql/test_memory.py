"""What an InfluxQL query may hold: more is refused with a clear error, and what is done is given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.influxql.kit import MemorySources, lines

from fluxkeep.api.endpoint import Call
from fluxkeep.api.v1.query import answer, read_request
from fluxkeep.datamodel.memory_account import CountedReader, MemoryAccount, MemoryExceeded
from fluxkeep.datamodel.reader import Scan, ScanBatch, ScanRequest
from fluxkeep.influxql.engine import execute

ROWS = 2_000
REFUSED = "memory allocation limit reached: limit {limit} bytes, allocated: "


@pytest.fixture(scope="module")
def sources() -> MemorySources:
    text = "\n".join(f"cpu,host=h{n % 4} usage={n}.5,n={n}i {n + 1}" for n in range(ROWS))
    return MemorySources({"db": lines(text)})


def errors(sources: MemorySources, query: str, limit: int, chunk_size: int | None = None) -> list[str | None]:
    """The error of each result."""
    found = execute(query, sources=sources, now_ns=0, database="db", chunk_size=chunk_size, memory_bytes_max=limit)
    return [result.error for result in found]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT usage FROM cpu",
        "SELECT usage, n FROM cpu WHERE n > 5",
        "SELECT derivative(usage) FROM cpu",
        "SELECT median(usage) FROM cpu",
        "SELECT mean(usage) FROM cpu WHERE time < 2000 GROUP BY time(2ns) fill(none)",
        "SELECT max(m) FROM (SELECT usage AS m FROM cpu)",
    ],
)
def test_a_statement_that_would_hold_too_much_is_refused_and_those_after_it_do_not_run(
    sources: MemorySources, query: str
) -> None:
    refused, later = errors(sources, f"{query}; SHOW DATABASES", 10_000)
    assert refused is not None
    assert refused.startswith(REFUSED.format(limit=10_000))
    assert later == "not executed"
    assert errors(sources, f"{query}; SHOW DATABASES", 10_000_000) == [None, None]


def test_little_is_answered_of_much(sources: MemorySources) -> None:
    assert errors(sources, "SELECT mean(usage), max(n) FROM cpu GROUP BY host", 10_000) == [None]
    assert errors(sources, "SELECT usage FROM cpu WHERE time < 20", 10_000) == [None]


def test_rows_to_be_written_count_and_lists_of_names_do(sources: MemorySources) -> None:
    # The points of one field take 40 kB.
    (refused,) = errors(sources, "SELECT usage FROM cpu", 100_000)
    assert refused is not None
    assert refused.startswith(REFUSED.format(limit=100_000))
    many = MemorySources({"db": lines("\n".join(f"m,tag=v{n} f=1 1" for n in range(500)))})
    (refused,) = errors(many, "SHOW SERIES", 10_000)
    assert refused is not None
    assert refused.startswith(REFUSED.format(limit=10_000))


def test_statements_of_one_piece_add_up_and_those_sent_in_parts_do_not(sources: MemorySources) -> None:
    query = "; ".join(["SELECT usage FROM cpu"] * 4)
    together = errors(sources, query, 900_000)
    assert together[:2] == [None, None]
    assert any(error is not None and error.startswith("memory allocation") for error in together)
    assert set(errors(sources, query, 900_000, chunk_size=1000)) == {None}


def test_the_endpoint_tells_it_as_the_statement_s_error(sources: MemorySources) -> None:
    call = Call(method="GET", path="/query", query={"q": ["SELECT usage FROM cpu"], "db": ["db"]})
    response = answer(read_request(call), sources, 0, memory_bytes_max=10_000)
    assert response.status_code == 200
    (result,) = json.loads(bytes(response.body))["results"]
    assert result["statement_id"] == 0
    assert result["error"].startswith(REFUSED.format(limit=10_000))


class _Endless:
    """Gives batches for as long as they are taken."""

    def __init__(self, batch: ScanBatch) -> None:
        self.batch = batch
        self.given = 0

    def scan(self, request: ScanRequest) -> Scan:
        assert request.bytes_max

        def batches() -> Iterator[ScanBatch]:
            while True:
                self.given += 1
                yield self.batch

        return Scan((), batches())


@pytest.mark.parametrize("keeps", [True, False])
def test_reading_stops_at_the_limit(sources: MemorySources, keeps: bool) -> None:
    reader = sources.buckets[sources.names["db"]]
    (batch, *_) = list(reader.scan(ScanRequest(fields=("usage",))).batches)
    endless = _Endless(replace(batch, frame=batch.frame.head(100)))
    account = MemoryAccount(20_000)
    counted = CountedReader(endless, account, keeps=keeps)  # type: ignore[arg-type] # scans alone are asked for
    with pytest.raises(MemoryExceeded):
        list(counted.scan(ScanRequest()).batches)
    assert endless.given == 20_000 // batch.frame.head(100).estimated_size() + 1
    assert (account.used_bytes > 20_000) is keeps
