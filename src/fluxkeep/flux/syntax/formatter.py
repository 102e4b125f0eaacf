"""Tree to text, in the style in which Flux is written: four spaces, a pipe a line.

`parse(format_file(file)) == file` for every tree without faults; brackets are
added where a tree (one sent as JSON) needs them and has none. Comments before
statements are kept.

Source: flux.md §1, §2.
"""

from __future__ import annotations

import math

from fluxkeep import instants
from fluxkeep.flux.syntax import ast

_INDENT = "    "
_LINE_MAX = 100

# How tight an expression binds; an operand that binds looser than its place needs brackets.
_CONDITIONAL, _OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _POWER, _PIPE, _PREFIX, _POSTFIX = range(11)
_LEVELS = {
    "+": _ADD,
    "-": _ADD,
    "*": _MULTIPLY,
    "/": _MULTIPLY,
    "%": _MULTIPLY,
    "^": _POWER,
}


def format_file(file: ast.File) -> str:
    """The text of a script; ends with a line break unless it is empty."""
    lines: list[str] = []
    if file.package:
        lines += [*_before(file.package, file.package.attributes), f"package {file.package.id.name}", ""]
    for item in file.imports:
        lines += [*_before(item, item.attributes), _statement(item, "")]
    if file.imports:
        lines.append("")
    for statement in file.body:
        lines += _before(statement, getattr(statement, "attributes", ()))
        lines.append(_statement(statement, ""))
    lines += file.comments
    return "\n".join(lines).rstrip("\n") + "\n" if lines else ""


def format_expression(expression: ast.Expression) -> str:
    """The text of one expression."""
    return _expression(expression, _CONDITIONAL, "")


def _before(node: ast.Node, attributes: tuple[ast.Attribute, ...]) -> list[str]:
    written = [
        f"@{item.name}" + (f"({', '.join(map(format_expression, item.params))})" if item.params else "")
        for item in attributes
    ]
    return [*node.comments, *written]


def _statement(node: ast.Statement, indent: str) -> str:
    match node:
        case ast.VariableAssignment(id=name, init=init):
            return f"{name.name} = {_expression(init, _CONDITIONAL, indent)}"
        case ast.OptionStatement(assignment=ast.VariableAssignment(id=name, init=init)):
            return f"option {name.name} = {_expression(init, _CONDITIONAL, indent)}"
        case ast.OptionStatement(assignment=ast.MemberAssignment(member=member, init=init)):
            target = _expression(member, _POSTFIX, indent)
            return f"option {target} = {_expression(init, _CONDITIONAL, indent)}"
        case ast.ExpressionStatement(expression=expression):
            return _expression(expression, _CONDITIONAL, indent)
        case ast.ReturnStatement(argument=argument):
            return f"return {_expression(argument, _CONDITIONAL, indent)}"
        case ast.ImportDeclaration(path=path, alias=alias):
            return f"import {alias.name + ' ' if alias else ''}{quote(path.value)}"
        case ast.BuiltinStatement(id=name, type=kind):
            return f"builtin {name.name} : {format_type(kind)}"
        case ast.TestCaseStatement(id=name, block=block, extends=extends):
            parent = f" extends {quote(extends.value)}" if extends else ""
            return f"testcase {name.name}{parent} {_block(block, indent)}"
        case ast.BadStatement(text=text):
            return text
        case _:
            raise AssertionError(f"no text of {type(node).__name__}")


def _block(block: ast.Block, indent: str) -> str:
    inner = indent + _INDENT
    lines = []
    for statement in block.body:
        lines += [inner + line for line in _before(statement, getattr(statement, "attributes", ()))]
        lines.append(inner + _statement(statement, inner))
    return "{\n" + "".join(line + "\n" for line in lines) + indent + "}"


def _expression(node: ast.Expression, level: int, indent: str) -> str:
    text, its_level = _bare(node, indent)
    return f"({text})" if its_level < level else text


def _bare(node: ast.Expression, indent: str) -> tuple[str, int]:
    """The text without brackets around it, and how tight it binds."""
    match node:
        case ast.ConditionalExpression(test=test, consequent=consequent, alternate=alternate):
            parts = (_expression(part, _CONDITIONAL, indent) for part in (test, consequent, alternate))
            return "if {} then {} else {}".format(*parts), _CONDITIONAL
        case ast.FunctionExpression(params=params, body=body):
            written = ", ".join(_parameter(item, indent) for item in params)
            if isinstance(body, ast.Block):
                return f"({written}) => {_block(body, indent)}", _CONDITIONAL
            text = _expression(body, _CONDITIONAL, indent)
            # A brace after the arrow would begin a block.
            return f"({written}) => {f'({text})' if text.startswith('{') else text}", _CONDITIONAL
        case ast.LogicalExpression(operator=operator, left=left, right=right):
            level = _OR if operator == "or" else _AND
            return _infix(operator, left, right, level, indent), level
        case ast.UnaryExpression(operator=("not" | "exists") as operator, argument=argument):
            return f"{operator} {_expression(argument, _NOT, indent)}", _NOT
        case ast.BinaryExpression(operator=operator, left=left, right=right):
            level = _LEVELS.get(operator, _COMPARE)
            return _infix(operator, left, right, level, indent), level
        case ast.PipeExpression():
            return _pipe(node, indent), _PIPE
        case ast.UnaryExpression(operator=operator, argument=argument):
            return operator + _expression(argument, _PREFIX, indent), _PREFIX
        case ast.CallExpression(callee=callee, arguments=arguments):
            given = _properties(arguments.properties, indent, ("(", ")")) if arguments else "()"
            return _expression(callee, _POSTFIX, indent) + given, _POSTFIX
        case ast.MemberExpression(object=owner, key=key):
            name = f".{key.name}" if isinstance(key, ast.Identifier) else f"[{quote(key.value)}]"
            of = _expression(owner, _POSTFIX, indent)
            # Digits and a point would be a float.
            return (f"({of})" if of.isdigit() else of) + name, _POSTFIX
        case ast.IndexExpression(array=array, index=index):
            text = f"{_expression(array, _POSTFIX, indent)}[{_expression(index, _CONDITIONAL, indent)}]"
            return text, _POSTFIX
        case _:
            return _primary(node, indent)


def _infix(operator: str, left: ast.Expression, right: ast.Expression, level: int, indent: str) -> str:
    """Both operands on their level; all operators join to the left."""
    return f"{_expression(left, level, indent)} {operator} {_expression(right, level + 1, indent)}"


def _pipe(node: ast.PipeExpression, indent: str) -> str:
    calls: list[str] = []
    first: ast.Expression = node
    inner = indent + _INDENT
    while isinstance(first, ast.PipeExpression):
        calls.append(_expression(first.call, _PREFIX, inner))
        first = first.argument
    start = _expression(first, _PREFIX, indent)
    calls.reverse()
    if len(calls) == 1 and len(start) + len(calls[0]) < _LINE_MAX and "\n" not in start + calls[0]:
        return f"{start} |> {calls[0]}"
    return start + "".join(f"\n{inner}|> {call}" for call in calls)


def _parameter(item: ast.Parameter, indent: str) -> str:
    return item.name if item.default is None else f"{item.name}={_expression(item.default, _CONDITIONAL, indent)}"


def _properties(items: tuple[ast.Property, ...], indent: str, brackets: tuple[str, str], base: str = "") -> str:
    opener, closer = brackets
    flat = ", ".join(_property(item, indent) for item in items)
    if len(flat) < _LINE_MAX and "\n" not in flat:
        return f"{opener}{base}{flat}{closer}"
    inner = indent + _INDENT
    lines = "".join(f"\n{inner}{_property(item, inner)}," for item in items)
    return f"{opener}{base.rstrip()}{lines}\n{indent}{closer}"


def _property(item: ast.Property, indent: str) -> str:
    key = item.key.name if isinstance(item.key, ast.Identifier) else quote(item.key.value)
    return key if item.value is None else f"{key}: {_expression(item.value, _CONDITIONAL, indent)}"


def _primary(node: ast.Expression, indent: str) -> tuple[str, int]:
    match node:
        case ast.Identifier(name=name):
            text = name
        case ast.IntegerLiteral(value=number):
            return str(number), _POSTFIX if number >= 0 else _PREFIX
        case ast.UnsignedIntegerLiteral(value=number):
            text = f"uint(v: {number})" if number < 2**63 else f"uint(v: {quote(str(number))})"
        case ast.FloatLiteral(value=value):
            return _float(value), _POSTFIX if math.copysign(1, value) > 0 else _PREFIX
        case ast.BooleanLiteral(value=flag):
            text = "true" if flag else "false"
        case ast.StringLiteral(value=value):
            text = quote(value)
        case ast.DurationLiteral(values=values):
            if any(magnitude < 0 for magnitude, _ in values):
                return str(node.duration), _PREFIX
            text = "".join(f"{magnitude}{unit}" for magnitude, unit in values) or "0ns"
        case ast.DateTimeLiteral(value=instant):
            text = instants.format_rfc3339(instant)
        case ast.RegexpLiteral(value=pattern):
            text = "/" + _regexp(pattern) + "/"
        case ast.PipeLiteral():
            text = "<-"
        case ast.LabelLiteral(value=label):
            text = f".{quote(label)}"
        case ast.StringExpression(parts=parts):
            text = '"' + "".join(_part(part, indent) for part in parts) + '"'
        case ast.ArrayExpression(elements=elements):
            text = f"[{', '.join(_expression(item, _CONDITIONAL, indent) for item in elements)}]"
        case ast.DictExpression(elements=items):
            text = f"[{', '.join(_item(item, indent) for item in items) or ':'}]"
        case ast.ObjectExpression(properties=properties, base=base):
            text = _properties(properties, indent, ("{", "}"), f"{base.name} with " if base else "")
        case ast.ParenExpression(expression=inner):
            text = f"({_expression(inner, _CONDITIONAL, indent)})"
        case ast.BadExpression(text=text):
            pass
        case _:
            raise AssertionError(f"no text of {type(node).__name__}")
    return text, _POSTFIX


def _item(item: ast.DictItem, indent: str) -> str:
    return f"{_expression(item.key, _CONDITIONAL, indent)}: {_expression(item.value, _CONDITIONAL, indent)}"


def _part(part: ast.StringPart, indent: str) -> str:
    if isinstance(part, ast.TextPart):
        return _escape(part.value)
    return "${" + _expression(part.expression, _CONDITIONAL, indent) + "}"


def quote(text: str) -> str:
    """A text as a string literal."""
    return f'"{_escape(text)}"'


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _float(value: float) -> str:
    """Digits without an exponent, of which Flux has none, and with a point."""
    text = repr(value)
    if "e" in text:
        from decimal import Decimal

        text = format(Decimal(text), "f")
    return text if "." in text else text + ".0"


def _regexp(pattern: str) -> str:
    """The pattern with its slashes escaped and its line breaks spelled."""
    out = []
    at = 0
    while at < len(pattern):
        step = 2 if pattern[at] == "\\" and at + 1 < len(pattern) else 1
        piece = pattern[at : at + step]
        out.append({"/": "\\/", "\n": "\\n", "\\\n": "\\n"}.get(piece, piece))
        at += step
    return "".join(out)


def format_type(kind: ast.TypeExpression) -> str:
    """The text of a type with its constraints."""
    text = _mono(kind.type)
    if kind.constraints:
        text += " where " + ", ".join(f"{item.variable}: {' + '.join(item.kinds)}" for item in kind.constraints)
    return text


def _mono(kind: ast.MonoType) -> str:
    match kind:
        case ast.NamedType(name=name) | ast.VariableType(name=name):
            return name
        case ast.ArrayType(element=element):
            return f"[{_mono(element)}]"
        case ast.StreamType(element=element):
            return f"stream[{_mono(element)}]"
        case ast.VectorType(element=element):
            return f"vector[{_mono(element)}]"
        case ast.DictType(key=key, value=value):
            return f"[{_mono(key)}: {_mono(value)}]"
        case ast.LabelType(name=name):
            return f".{name}"
        case ast.RecordType(properties=properties, base=base):
            members = ", ".join(f"{_label(item.name)}: {_mono(item.type)}" for item in properties)
            return f"{{{base} with {members}}}" if base else f"{{{members}}}"
        case ast.FunctionType(params=params, result=result):
            written = ", ".join(f"{item.kind}{item.name}: {_mono(item.type)}" for item in params)
            return f"({written}) => {_mono(result)}"


def _label(name: str) -> str:
    return name if name.isidentifier() else quote(name)
