"""Servers for the tests of this folder; none survives its test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import Server

# A machine without these commands passes every test all the same; it is told what it has not tried.
_NEEDED = {"test_clients_go.py": "go", "test_clients_tls.py": "openssl"}
collect_ignore = [name for name, command in _NEEDED.items() if not shutil.which(command)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what this machine could not collect."""
    for name in collect_ignore:
        terminalreporter.write_line(f"{name}: left out, as there is no `{_NEEDED[name]}` on this machine")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server that nobody has set up."""
    made = Server(tmp_path / "data")
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """The command with a server of its own that is set up, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("influx")
    made = Server(folder / "data")
    made.start()
    try:
        command = Influx(made, folder / "home")
        command.setup("operator-token-of-more-than-32-characters")
        yield command
    finally:
        made.kill()
