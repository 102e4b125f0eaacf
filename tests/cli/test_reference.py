"""Every command and every flag says what it does, and the checked-in pages are what the commands say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from fluxkeep.cli.influx import influx
from fluxkeep.cli.influxd import influxd
from fluxkeep.cli.reference import pages, shown_options, walk

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("root", [influx, influxd])
def test_every_command_and_flag_has_a_text(root: click.Command) -> None:
    seen = 0
    for context in walk(root):
        assert (context.command.help or "").strip(), f"{context.command_path} has no help"
        for option in shown_options(context.command, context):
            assert (option.help or "").strip(), f"{context.command_path} {option.name} has no help"
        seen += 1
    assert seen > 15


@pytest.mark.parametrize("name", ["influx.md", "influxd.md"])
def test_the_pages_are_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == pages()[name], "run python -m fluxkeep.cli.reference docs/reference"


def test_the_client_starts_without_what_is_slow_to_import() -> None:
    script = (
        "import sys; from fluxkeep.cli.influx import influx\n"
        "influx.main(['bucket', 'list', '--help'], standalone_mode=False)\n"
        "slow = {'polars', 'pyarrow', 'numpy', 'sqlalchemy', 'alembic', 'starlette', 'msgspec', 'rich', 'asyncio', "
        "'pandas', 'structlog'}\n"
        "sys.exit(', '.join(sorted(slow & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
