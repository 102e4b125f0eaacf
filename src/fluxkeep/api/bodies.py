"""Reading JSON bodies as the reference's decoder does.

Unknown members are ignored, and so is what follows the first value; an empty
body is `EOF` and a cut one `unexpected EOF`. A member's name counts in any
case, and `null` leaves a member as if it had not been sent.

Source: http-api.md §1.3; for null and case the documentation of Go's
encoding/json, which the reference reads with.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Hashable, Mapping
from typing import TypeVar, cast

import msgspec
from msgspec import inspect

from fluxkeep.errors import InvalidInput

T = TypeVar("T")

_python = json.JSONDecoder()


class BadBody(InvalidInput):
    """A body that is not the JSON asked for.

    Attributes:
        reason: The reference's text without a prefix.
        well_formed: It is JSON, of another shape.
    """

    def __init__(self, reason: str, *, well_formed: bool = False) -> None:
        super().__init__(f"failed to unmarshal json: {reason}")
        self.reason = reason
        self.well_formed = well_formed


def decode_json(body: bytes, kind: type[T]) -> T:
    """The first JSON value of a body as a wire struct, a list or a mapping.

    Raises:
        BadBody: Its message has the prefix of the common decoder; handlers
            with a text of their own take its `reason`.
    """
    try:
        return _shaped(body, msgspec.json.decode(body), kind)
    except RecursionError:
        raise BadBody("exceeded max depth") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise BadBody(str(error), well_formed=True) from None
        return _decode_first(body, kind)


def _decode_first(body: bytes, kind: type[T]) -> T:
    text = body.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        raise BadBody("EOF")
    try:
        value, end = _python.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise BadBody(_reason(text, error.pos)) from None
    except RecursionError:
        raise BadBody("exceeded max depth") from None
    try:
        return _shaped(text[start:end].encode(), value, kind)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise BadBody(str(error), well_formed=True) from None


def _shaped(body: bytes, value: object, kind: type[T]) -> T:
    """The typed value of a body whose plain one is `value`."""
    read = _as_read(value, _shape(cast("Hashable", kind)))
    # Values are compared, not only asked for identity: most bodies need nothing, and keep their exact numbers.
    return msgspec.json.decode(body if read == value else msgspec.json.encode(read), type=kind)


@functools.cache
def _shape(kind: Hashable) -> inspect.Type:
    return inspect.type_info(kind)


@functools.cache
def _members(struct: type) -> tuple[dict[str, inspect.Field], dict[str, inspect.Field]]:
    """A struct's fields by their name, and by it in lower case."""
    shape = _shape(struct)
    assert isinstance(shape, inspect.StructType)
    exact = {one.encode_name: one for one in shape.fields}
    return exact, {name.lower(): one for name, one in exact.items()}


def _as_read(value: object, shape: inspect.Type) -> object:
    """A plain value with its members named as `shape` names them, and without the nulls that it does not know."""
    match shape:
        case inspect.UnionType():
            if value is None and shape.includes_none:
                return None
            alternatives = [one for one in shape.types if not isinstance(one, inspect.NoneType)]
            return _as_read(value, alternatives[0]) if len(alternatives) == 1 else value
        case inspect.StructType() if value is None or isinstance(value, Mapping):
            return _members_as_read(value or {}, shape.cls)
        case inspect.DictType() if value is None or isinstance(value, Mapping):
            return {name: _as_read(item, shape.value_type) for name, item in (value or {}).items()}
        case inspect.ListType() if value is None or isinstance(value, list):
            return [_as_read(item, shape.item_type) for item in value or ()]
        case inspect.StrType() if value is None:
            return ""
        case _:
            return value


def _members_as_read(value: Mapping[str, object], struct: type) -> dict[str, object]:
    exact, folded = _members(struct)
    read: dict[str, object] = {}
    for name, item in value.items():
        member = exact.get(name) or folded.get(name.lower())
        if member is None:
            # Unknown, and ignored by who decodes.
            read[name] = item
        elif item is not None or _knows_null(member.type):
            read[member.encode_name] = _as_read(item, member.type)
    return read


def _knows_null(shape: inspect.Type) -> bool:
    return isinstance(shape, inspect.NoneType) or (isinstance(shape, inspect.UnionType) and shape.includes_none)


def _reason(text: str, at: int) -> str:
    # Python names the start of an unterminated string, not the end of the text.
    unterminated = text[at : at + 1] == '"' and not text.rstrip().endswith(("}", "]"))
    if at >= len(text.rstrip()) or unterminated:
        return "unexpected EOF"
    return f"invalid character {text[at]!r} at offset {at}"
