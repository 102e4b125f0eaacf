"""The recorded answers of InfluxDB 2.9.1 (`tests/golden/influxql`), asked of memory readers."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from tests.influxql.kit import GOLDEN, MemorySources, ask, golden_sources, lines, replayer

from fluxkeep.datamodel.memory_reader import MemoryReader

# Where our answer differs on purpose, and why.
DIFFERS = {
    "mode of strings": "values are equally frequent; an unstable sort decides in the reference, the earliest here",
    "delete as a form": "the reference lists a deleted tag value until it compacts its index",
}


def cases() -> list[Any]:
    found = []
    for file in sorted((GOLDEN / "influxql").glob("*.txt")):
        for case in replayer().parse(file.read_text(encoding="utf-8")):
            if all(step.language == "influxql" for step in case.steps):
                found.append(pytest.param(case, id=f"{file.stem}: {case.name}"))
    return found


@functools.lru_cache(maxsize=1)
def shared() -> MemorySources:
    return golden_sources()


def sources_for(case: Any) -> MemorySources:
    filled = case.options.get("scratch")
    if filled is None:
        return shared()
    reader = MemoryReader() if filled == "empty" else lines((GOLDEN / "data" / f"{filled}.lp").read_bytes())
    return MemorySources({"scratch": reader})


@pytest.mark.parametrize("case", cases())
def test_recorded_answer(case: Any) -> None:
    sources = sources_for(case)
    kinds = []
    for step in case.steps:
        options = case.options
        status, media, body = ask(
            sources,
            step.query,
            params=options.get("params", ""),
            accept=options.get("accept", ""),
            method=options.get("method", "GET"),
        )
        served = replayer().Step("influxql", step.query, status, media, body)
        kinds.append((replayer().compare(case, step, served), body))
    if case.name in DIFFERS:
        assert any(kind == "answer" for kind, _ in kinds), "it agrees now: take it off the list"
        return
    for (kind, body), step in zip(kinds, case.steps, strict=True):
        assert kind is None, f"{step.query}\nrecorded: {step.body}\nserved:   {body}"


def test_the_list_of_differences_names_real_cases() -> None:
    names = {p.values[0].name for p in cases()}
    assert set(DIFFERS) <= names
