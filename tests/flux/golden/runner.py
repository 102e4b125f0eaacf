"""Runs the recorded Flux cases against the engine alone, without a server.

Data sets are loaded into MemoryReaders; the answer is put together as the API
does, and the replayer's own comparison decides.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.reader import Reader
from fluxkeep.errors import FluxkeepError, NotFound
from fluxkeep.flux.engine import Engine
from fluxkeep.flux.sources import BucketInfo
from fluxkeep.formats.annotated_csv import FULL_DIALECT, Dialect, encode
from fluxkeep.instants import Precision, parse_rfc3339
from fluxkeep.lineprotocol.parser import parse

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NOW_NS = parse_rfc3339("2024-06-01T00:00:00Z")
_STATUS = {
    "not found": 404,
    "unauthorized": 401,
    "not implemented": 501,
    "internal error": 500,
    "unprocessable entity": 422,
}


@lru_cache(maxsize=1)
def replayer() -> ModuleType:
    """The checked-in replayer, for its parsing and its comparison."""
    spec = importlib.util.spec_from_file_location("replay_queries", GOLDEN / "tools" / "replay_queries.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def load(name: str | None) -> MemoryReader:
    """A data set as a reader; nothing for None."""
    if name is None:
        return MemoryReader()
    body = (GOLDEN / "data" / name).read_bytes()
    return MemoryReader(parse(body, precision=Precision.NS, now_ns=NOW_NS).batch)


class MemorySources:
    """The buckets of `setup.json`, and `scratch` where a case has one."""

    def __init__(self, readers: dict[str, Reader]) -> None:
        self._readers = readers

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:
        """By name; ids are made up and unknown to the cases."""
        if bucket is None or bucket not in self._readers:
            raise NotFound(f'could not find bucket "{bucket or bucket_id}"')
        return self._readers[bucket]

    def writer(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Callable[[PointBatch], None]:
        """Only `scratch` is written by the cases."""
        reader = self.reader(bucket=bucket, bucket_id=bucket_id)
        assert bucket == "scratch"
        assert isinstance(reader, MemoryReader)
        return reader.write

    def secret(self, key: str) -> str:
        """There are none."""
        raise NotFound("secret not found")

    def buckets(self) -> Sequence[BucketInfo]:
        """All of them."""
        return [BucketInfo(name=n, id=f"{i + 1:016x}", org_id="1" * 16) for i, n in enumerate(sorted(self._readers))]


@lru_cache(maxsize=1)
def standing() -> dict[str, Reader]:
    """The data sets that no case changes."""
    plan = json.loads((GOLDEN / "data" / "setup.json").read_text())
    # A fresh organization has its system buckets, which are empty.
    return {"_monitoring": load(None), "_tasks": load(None)} | {n: load(file) for n, file in plan["buckets"].items()}


def sources_for(case: Any) -> MemorySources:
    """What a case reads."""
    readers = dict(standing())
    if "scratch" in case.options:
        name = case.options["scratch"]
        readers["scratch"] = load(None if name == "empty" else name + ".lp")
    return MemorySources(readers)


def ask(case: Any, step: Any, sources: MemorySources, engine: Engine) -> Any:
    """The answer to one step, as the server would send it."""
    module = replayer()
    request = json.loads(case.options.get("request", "{}"))
    now_ns = parse_rfc3339(request["now"]) if "now" in request else NOW_NS
    try:
        dialect = _dialect(request, raw="raw" in case.options)
        body = b"".join(encode(engine.run(step.query, now_ns=now_ns, sources=sources), dialect)).decode()
    except FluxkeepError as error:
        answer = json.dumps({"code": error.code, "message": error.message}, ensure_ascii=False)
        return module.Step(step.language, step.query, _STATUS.get(error.code, 400), "application/json", answer + "\n")
    body = body.replace("\r\n", "\n")
    return module.Step(
        step.language, step.query, 200, "text/csv", body if body.endswith("\n") or not body else body + "\n"
    )


def _dialect(request: dict[str, Any], *, raw: bool) -> Dialect:
    if raw:
        return Dialect()
    wanted = request.get("dialect")
    if wanted is None:
        return FULL_DIALECT
    return Dialect(
        annotations=tuple(wanted.get("annotations") or ()),
        header=wanted.get("header", True),
        delimiter=wanted.get("delimiter", ","),
    )


def verdict(case: Any, engine: Engine) -> tuple[str | None, list[Any]]:
    """None where the case holds, else the kind of difference; and the answers."""
    sources = sources_for(case)
    answers = [ask(case, step, sources, engine) for step in case.steps]
    compare: Callable[..., str | None] = replayer().compare
    kinds = (compare(case, want, got) for want, got in zip(case.steps, answers, strict=True))
    return next((k for k in kinds if k), None), answers
