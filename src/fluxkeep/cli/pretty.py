"""Query answers as tables for people.

Source: cli.md §2.9.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TextIO

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.instants import SECOND, parse_rfc3339

csv.field_size_limit(sys.maxsize)

_TYPES = {
    "string": ("string", 22),
    "double": ("float", 28),
    "boolean": ("boolean", 12),
    "long": ("int", 26),
    "unsignedLong": ("uint", 27),
    "dateTime:RFC3339": ("time", 30),
    "dateTime:RFC3339Nano": ("time", 30),
    "duration": ("duration", 22),
    "base64Binary": ("bytes", 22),
}


def print_tables(lines: Iterable[str], out: TextIO) -> None:
    """Print every table of an annotated CSV answer.

    Raises:
        CommandFailed: The answer carries an error table; the tables before it are printed.
    """
    datatypes: list[str] = []
    groups: list[str] = []
    defaults: list[str] = []
    header: list[str] | None = None
    result: str | None = None
    rows: list[list[str]] = []

    def flush() -> None:
        nonlocal rows
        if header is not None and rows:
            _print_table(header, datatypes, groups, rows, out)
        rows = []

    table_at = result_at = -1
    current: str | None = None
    for row in csv.reader(_without_carriage_returns(lines)):
        if not row or row == [""]:
            flush()
            header, current = None, None
            continue
        if row[0].startswith("#"):
            if header is not None:
                flush()
                header, current = None, None
            target = {"#datatype": 0, "#group": 1, "#default": 2}.get(row[0])
            if target == 0:
                datatypes = row
            elif target == 1:
                groups = row
            elif target == 2:
                defaults = row
            continue
        if header is None:
            header = row
            if header[1:3] == ["error", "reference"]:
                continue
            result_at = header.index("result") if "result" in header else -1
            table_at = header.index("table") if "table" in header else -1
            continue
        if header[1:3] == ["error", "reference"]:
            raise CommandFailed(row[1])
        row = [cell or default for cell, default in zip(row, [*defaults, *[""] * len(row)], strict=False)]
        name = row[result_at] if result_at >= 0 else ""
        if name != result:
            flush()
            result, current = name, None
            out.write(f"Result: {name}\n")
        if current is not None and row[table_at] != current:
            flush()
        current = row[table_at]
        rows.append(row)
    flush()


def _without_carriage_returns(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.replace("\r\n", "\n")


def _print_table(
    header: list[str], datatypes: list[str], groups: list[str], rows: list[list[str]], out: TextIO
) -> None:
    columns = [i for i in range(1, len(header)) if header[i] not in ("result", "table")]
    keys = [i for i in columns if groups[i : i + 1] == ["true"]]
    order = keys + [i for i in columns if i not in keys]
    out.write(f"Table: keys: [{', '.join(header[i] for i in keys)}]\n")
    types = [_TYPES.get(datatypes[i], ("string", 22)) for i in order]
    titles = [f"{header[i]}:{name}" for i, (name, _) in zip(order, types, strict=True)]
    first = [_cell(rows[0][i], name) for i, (name, _) in zip(order, types, strict=True)]
    widths = [max(len(title), least, len(cell)) for title, (_, least), cell in zip(titles, types, first, strict=True)]
    out.write("  ".join(title.rjust(width) for title, width in zip(titles, widths, strict=True)) + "\n")
    out.write("  ".join("-" * width for width in widths) + "\n")
    for row in rows:
        cells: list[str] = []
        for i, (name, _), width in zip(order, types, widths, strict=True):
            cell = _cell(row[i], name)
            cells.append(cell[: width - 3] + "..." if len(cell) > width else cell.rjust(width))
        out.write("  ".join(cells) + "\n")


def _cell(text: str, kind: str) -> str:
    if text == "":
        return ""
    if kind == "time":
        ns = parse_rfc3339(text)
        return text[:19] + f".{ns % SECOND:09d}Z" if text.endswith("Z") else text
    if kind == "float":
        value = float(text)
        if not math.isfinite(value):
            return text
        plain = format(Decimal(repr(value)), "f")
        return plain.removesuffix(".0") if plain.endswith(".0") else plain
    return text
