"""Tables and JSON as the reference's CLI prints them.

A table has a header row; cells are padded with tabs to a multiple of eight,
at least one beyond the longest; the last column is not padded.

Source: cli.md §1.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

TAB = 8


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, header: bool = True) -> str:
    """The table's text, a newline at the end of every row; "" for no row at all."""
    lines = [list(columns)] if header else []
    lines += [[_one_line(cell) for cell in row] for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[i]) for line in lines) + 1 for i in range(len(columns) - 1)]
    widths = [-(-width // TAB) * TAB for width in widths]
    out: list[str] = []
    for line in lines:
        padded = [cell + "\t" * -(-(width - len(cell)) // TAB) for cell, width in zip(line, widths, strict=False)]
        out.append("".join(padded) + line[-1])
    return "\n".join(out) + "\n"


def _one_line(cell: str) -> str:
    return cell.replace("\t", " ").replace("\r", " ").replace("\n", " ")


def to_json(value: object) -> str:
    """Tab-indented JSON with sorted keys, `<`, `>` and `&` escaped, a newline at the end."""
    text = json.dumps(value, indent="\t", sort_keys=True, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e") + "\n"


def show(
    columns: Sequence[str],
    items: Sequence[Mapping[str, Any]],
    cells: Mapping[str, Any],
    *,
    as_json: bool,
    header: bool,
    one: bool = False,
    deleted: bool = False,
    null: bool = False,
) -> None:
    """Print objects as a table or as JSON.

    Args:
        columns: The table's header.
        items: The server's objects.
        cells: Column to a function from object to text.
        as_json: Print the objects themselves.
        header: Print the header row.
        one: A single object, so JSON is no array.
        deleted: Adds the column `Deleted` with `true`.
        null: No object at all is `null` in JSON, not an empty array.
    """
    if as_json:
        click.echo(to_json(items[0] if one else list(items) or (None if null else [])), nl=False)
        return
    names = [*columns, "Deleted"] if deleted else list(columns)
    rows = [[str(cells[column](item)) for column in columns] + (["true"] if deleted else []) for item in items]
    click.echo(table(names, rows, header=header), nl=False)


def go_duration(seconds: int) -> str:
    """Whole seconds as Go prints a duration: `168h0m0s`."""
    from fluxkeep.instants import SECOND, format_go_duration

    return format_go_duration(seconds * SECOND)
