"""The ledger of the API's operations: each is built and exercised, or listed with a reason.

`operations.txt` has a line for every operation of the reference's contract and
for those that we serve beyond it:

    METHOD path: recorded        built; a recorded scenario under tests/golden/http sends it
    METHOD path: <words>         built; where else it is exercised
    METHOD path: later: <words>  not built; with what it comes
    METHOD path: never: <words>  not built; why
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest

from fluxkeep.api.routing import ANY_METHOD, Router
from fluxkeep.clock import SystemClock
from fluxkeep.config.settings import load
from fluxkeep.server import build

TESTS = Path(__file__).parent.parent
LINE = re.compile(r"([A-Z*]+) (/\S*): (.+)")


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Router:
    folder = tmp_path_factory.mktemp("ledger")
    flags = {"bolt-path": str(folder / "influxd.bolt"), "engine-path": str(folder / "engine")}
    with contextlib.ExitStack() as house:
        return build(load(flags, {}, folder), SystemClock(), house).router


@pytest.fixture(scope="module")
def ledger() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for line in (Path(__file__).parent / "operations.txt").read_text().splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        key = (match[1], _plain(match[2]))
        assert key not in found, line
        found[key] = match[3]
    return found


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _serves(router: Router, method: str, path: str) -> bool:
    found = router.match(path.replace("{}", "0000000000000001"))
    return found is not None and _plain(found.route.path) == path and found.route.endpoint(method) is not None


def test_what_is_built_is_served_and_the_rest_is_not(router: Router, ledger: dict[tuple[str, str], str]) -> None:
    wrong = [
        (method, path, note)
        for (method, path), note in ledger.items()
        if _serves(router, method, path) is note.startswith(("later: ", "never: "))
    ]
    assert wrong == []


def test_what_is_served_is_listed(router: Router, ledger: dict[tuple[str, str], str]) -> None:
    served = {(one.method, _plain(one.path)) for one in router.endpoints}
    listed = {path for _, path in ledger}
    unlisted = {
        (method, path)
        for method, path in served
        if path not in listed or (method != ANY_METHOD and (method, path) not in ledger)
    }
    assert unlisted == set()


def test_what_counts_as_recorded_is(router: Router, ledger: dict[tuple[str, str], str]) -> None:
    sent: set[tuple[str, str]] = set()
    for file in (TESTS / "golden" / "http").glob("*.jsonl"):
        for line in file.read_text().splitlines()[1:]:
            request = json.loads(line)["request"]
            path = re.sub(r"\$\{\w+\}", "0000000000000001", request["path"].partition("?")[0])
            match = router.match(path)
            if match is not None:
                sent.add((request["method"], _plain(match.route.path)))
    recorded = {key for key, note in ledger.items() if note == "recorded"}
    assert len(recorded) > 60
    assert recorded <= sent
