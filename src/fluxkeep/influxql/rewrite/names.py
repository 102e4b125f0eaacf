"""What the columns of an answer are called.

Source: influxql.md §6: alias, field or function name, names of an operation joined
by underscores; duplicates get `_1`, `_2`.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.influxql.syntax.ast import Binary, Call, Distinct, Expr, Field, Paren, VarRef


def field_name(field: Field) -> str:
    """The alias, or what the expression suggests; may be empty."""
    return field.alias or expression_name(field.expr)


def expression_name(expr: Expr) -> str:
    """The name that an expression suggests."""
    match expr:
        case Call(name=name):
            return name
        case Distinct():
            return "distinct"
        case Binary():
            return "_".join(_parts(expr))
        case Paren(expr=inner):
            return expression_name(inner)
        case VarRef(name=name):
            return name
        case _:
            return ""


def _parts(expr: Expr) -> list[str]:
    match expr:
        case VarRef(name=name) | Call(name=name):
            return [name]
        case Distinct():
            return ["distinct"]
        case Binary(lhs=lhs, rhs=rhs):
            return _parts(lhs) + _parts(rhs)
        case Paren(expr=inner):
            return _parts(inner)
        case _:
            return []


def column_names(fields: Sequence[Field]) -> list[str]:
    """Distinct names in order; aliases keep theirs, and what was given to one is taken for the rest."""
    names = [field.alias for field in fields]
    taken = {name: 1 for name in names if name}
    for at, field in enumerate(fields):
        if names[at]:
            continue
        name = expression_name(field.expr)
        if name in taken:
            count = taken[name]
            while f"{name}_{count}" in taken:
                count += 1
            taken[name] = count + 1
            name = f"{name}_{count}"
        taken[name] = taken.get(name, 0) + 1
        names[at] = name
    return names
