"""Scripts of the kind that dashboards, tasks, checks and rules are made of: none may be refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluxkeep.flux.semantic.check import check
from fluxkeep.flux.syntax.parser import parse

SCRIPTS = sorted((Path(__file__).parent / "everyday").glob("*.flux"))


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) > 30


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_is_accepted(path: Path) -> None:
    check(parse(path.read_text()))
