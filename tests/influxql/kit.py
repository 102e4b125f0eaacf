"""Memory-backed sources for tests, and the golden cases with their comparison."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl

from fluxkeep.api.endpoint import Call
from fluxkeep.api.v1.query import answer, read_request
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import BucketID
from fluxkeep.influxql.sources import Mapping
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol.parser import parse

GOLDEN = Path(__file__).parent.parent / "golden"
# Years after the last point of any data set and before the times that cases call the future.
NOW_NS = 1_767_225_600_000_000_000


def replayer() -> ModuleType:
    """The stand-alone replayer, whose reading of case files and comparison are used."""
    name = "golden_replay_queries"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, GOLDEN / "tools" / "replay_queries.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def lines(text: str | bytes) -> MemoryReader:
    """A reader of line protocol in nanoseconds."""
    body = text.encode() if isinstance(text, str) else text
    parsed = parse(body, precision=Precision.NS, now_ns=NOW_NS)
    assert not parsed.errors
    return MemoryReader(parsed.batch)


class MemorySources:
    """Buckets by name, with virtual mappings and some physical ones."""

    def __init__(self, buckets: dict[str, MemoryReader], physical: Sequence[Mapping] = ()) -> None:
        self.buckets = {BucketID.of(at): reader for at, reader in enumerate(buckets.values(), 1)}
        self.names = {name: BucketID.of(at) for at, name in enumerate(buckets, 1)}
        self._physical = list(physical)

    def mappings(self) -> Sequence[Mapping]:
        found = list(self._physical)
        taken = {(m.database, m.policy) for m in found}
        defaults = {m.database for m in found if m.is_default}
        for name, bucket in sorted(self.names.items()):
            database, slash, policy = name.partition("/")
            mapping = Mapping(
                database=database,
                policy=policy if slash else "autogen",
                bucket=bucket,
                is_default=not slash and database not in defaults,
            )
            if (mapping.database, mapping.policy) not in taken:
                found.append(mapping)
        return found

    def reader(self, mapping: Mapping) -> Reader:
        return self.buckets[mapping.bucket]

    def delete(self, mapping: Mapping, time_range: TimeRange, predicate: Predicate | None) -> None:
        self.buckets[mapping.bucket].delete(time_range, predicate)


def golden_sources(data: Path = GOLDEN / "data") -> MemorySources:
    """The buckets and mappings of `setup.json`."""
    plan = json.loads((data / "setup.json").read_text())
    read = {file: lines((data / file).read_bytes()) for file in set(plan["buckets"].values()) if file}
    sources = MemorySources({name: read[file] if file else MemoryReader() for name, file in plan["buckets"].items()})
    physical = [
        Mapping(
            database=m["database"],
            policy=m["policy"],
            bucket=sources.names[m["bucket"]],
            is_default=m["default"],
        )
        for m in plan["mappings"]
    ]
    sources._physical = physical
    return sources


def ask(
    sources: MemorySources,
    query: str,
    *,
    params: str = "",
    accept: str = "",
    method: str = "GET",
    now_ns: int = NOW_NS,
) -> tuple[int, str, str]:
    """Status, media type and body of one request, as a client sees them."""
    values = [*parse_qsl(params, keep_blank_values=True), ("q", query)]
    call = Call(
        method=method,
        path="/query",
        query={name: [value] for name, value in values},
        headers={"accept": accept},
    )
    try:
        response = answer(read_request(call), sources, now_ns)
    except FluxkeepError as error:
        body = json.dumps({"code": error.code, "message": error.message}, ensure_ascii=False)
        return 400, "application/json", body + "\n"
    raw = bytes(response.body)
    media = response.headers["content-type"]
    text = raw.hex() if "msgpack" in media else raw.decode()
    return response.status_code, media, text if text.endswith("\n") or not text else text + "\n"
