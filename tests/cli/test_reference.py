"""Every command and every flag says what it does, and the checked-in pages are what the commands say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fluxkeep.cli.influx import influx
from fluxkeep.cli.influxd import influxd
from fluxkeep.cli.reference import pages, shown_options, walk
from fluxkeep.config.options import OPTIONS

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


def test_the_pages_are_what_the_commands_say() -> None:
    made = pages()
    kept = {str(path.relative_to(DOCS)): path.read_text("utf-8") for path in DOCS.glob("influx*/*.md")}
    assert kept == made, "run python -m fluxkeep.cli.reference docs/reference"


@pytest.mark.parametrize("root", [influx, influxd])
def test_every_command_has_a_page_that_shows_it_with_every_flag(root: click.Command) -> None:
    assert isinstance(root, click.Group)
    index = (DOCS / str(root.name) / "README.md").read_text("utf-8")
    contexts = [context for context in walk(root) if context.parent is not None]
    for context in contexts:
        words = context.command_path.split()
        page = (DOCS / words[0] / f"{words[1]}.md").read_text("utf-8")
        heading = re.search(rf"^#+ {re.escape(context.command_path)}$", page, re.MULTILINE)
        assert heading, f"{context.command_path} has no section"
        section = re.split(r"^#+ ", page[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0]
        for option in shown_options(context.command, context):
            if "--help" not in option.opts:
                missing = [name for name in option.opts if f"`{name}`" not in section]
                assert not missing, f"{context.command_path} lacks {missing}"
        assert f"({words[1]}.md)" in index
    assert len(contexts) > 15


def test_every_option_of_the_server_is_on_its_page() -> None:
    page = (DOCS / "options.md").read_text("utf-8")
    assert [name for name, option in OPTIONS.items() if not option.hidden and f"`{name}`" not in page] == []


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
