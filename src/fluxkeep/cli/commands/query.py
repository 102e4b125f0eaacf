"""`influx query`. Source: cli.md §2.9."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.session import Session, connected, in_org

_DIALECT = {"annotations": ["group", "datatype", "default"], "delimiter": ",", "header": True}


@click.command(cls=Leaf, name="query", help="Run a Flux query and print its tables.", context_settings=CONTEXT)
@connected(tables=False)
@in_org
@flag("--file", "-f", "path", help="File that holds the query.")
@flag("--raw", "-r", is_flag=True, help="Print annotated CSV as the server sends it.")
@flag("--profilers", "-p", multiple=True, help="Profilers to switch on, separated by commas.")
@click.argument("script", nargs=-1, metavar="[FLUX | - | @FILE]")
def query(
    session: Session,
    org: str | None,
    org_id: str | None,
    path: str | None,
    raw: bool,
    profilers: tuple[str, ...],
    script: tuple[str, ...],
) -> None:
    """Run a Flux query; an error in the middle of the answer is printed and exits 1."""
    body: dict[str, Any] = {"query": _text(path, script), "type": "flux", "dialect": _DIALECT}
    names = [name for given in profilers for name in given.split(",") if name]
    if names:
        body["extern"] = _profiler_extern(names)
    params = session.org_query(org_id, org)
    with (
        failing("failed to execute query"),
        session.client.open(
            "POST", "/api/v2/query", params, json.dumps(body).encode(), {"Content-Type": "application/json"}
        ) as answer,
    ):
        if raw:
            _copy(answer.chunks())
            return
        from fluxkeep.cli.pretty import print_tables

        profiled = _Noticed(_lines(answer.chunks()), "_profiler")
        print_tables(profiled, sys.stdout)
    if names and not profiled.found:
        click.echo("WARN: the server has run the query without the profilers", err=True)


def _text(path: str | None, script: tuple[str, ...]) -> str:
    if len(script) > 1:
        raise CommandFailed(f"at most 1 query string can be specified as an argument, got {len(script)}")
    if path and script:
        raise CommandFailed("query can be specified as a CLI arg or passed in a file via flag, not both")
    source = path or (script[0][1:] if script and script[0].startswith("@") else None)
    if source is not None:
        try:
            with open(source, encoding="utf-8") as file:  # noqa: PTH123 - a name as typed
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandFailed(f'failed to read query from "{source}": open {source}: {reason.lower()}') from error
    elif script and script[0] != "-":
        text = script[0]
    else:
        text = sys.stdin.read()
    if not text.strip():
        raise CommandFailed("no query provided")
    return text


def _copy(chunks: Iterable[bytes]) -> None:
    """Copy the answer unchanged; an error table at its end still exits 1."""
    tail = b""
    sys.stdout.flush()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        tail = (tail + chunk)[-65536:]
    sys.stdout.buffer.flush()
    at = tail.rfind(b",error,reference\r\n")
    if at >= 0 and (at == 0 or tail[at - 1 : at] == b"\n"):
        message = tail[at:].decode("utf-8", "replace").split("\r\n", 2)[1]
        raise CommandFailed(message.strip(",").strip('"').replace('""', '"'))


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace") + "\n"
    if rest:
        yield rest.decode("utf-8", "replace")


class _Noticed:
    """Lines as they come, and whether a word was among them."""

    def __init__(self, lines: Iterable[str], word: str) -> None:
        self._lines = lines
        self._word = word
        self.found = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.found = self.found or self._word in line
            yield line


def _profiler_extern(names: list[str]) -> dict[str, Any]:
    return {
        "type": "File",
        "imports": [{"type": "ImportDeclaration", "path": {"type": "StringLiteral", "value": "profiler"}}],
        "body": [
            {
                "type": "OptionStatement",
                "assignment": {
                    "type": "MemberAssignment",
                    "member": {
                        "type": "MemberExpression",
                        "object": {"type": "Identifier", "name": "profiler"},
                        "property": {"type": "Identifier", "name": "enabledProfilers"},
                    },
                    "init": {
                        "type": "ArrayExpression",
                        "elements": [{"type": "StringLiteral", "value": name} for name in names],
                    },
                },
            }
        ],
    }
