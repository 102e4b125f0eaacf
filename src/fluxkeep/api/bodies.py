"""Reading JSON bodies as the reference's decoder does.

Unknown members are ignored, and so is what follows the first value; an empty
body is `EOF` and a cut one `unexpected EOF`.

Source: http-api.md §1.3.
"""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

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
    """The first JSON value of a body as a wire struct.

    Raises:
        BadBody: Its message has the prefix of the common decoder; handlers
            with a text of their own take its `reason`.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadBody(str(error), well_formed=True) from None
    except RecursionError:
        raise BadBody("exceeded max depth") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_first(body, kind)


def _decode_first(body: bytes, kind: type[T]) -> T:
    text = body.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    if start == len(text):
        raise BadBody("EOF")
    try:
        _, end = _python.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise BadBody(_reason(text, error.pos)) from None
    except RecursionError:
        raise BadBody("exceeded max depth") from None
    try:
        return msgspec.json.decode(text[start:end].encode(), type=kind)
    except msgspec.MsgspecError as error:
        raise BadBody(str(error), well_formed=True) from None


def _reason(text: str, at: int) -> str:
    # Python names the start of an unterminated string, not the end of the text.
    unterminated = text[at : at + 1] == '"' and not text.rstrip().endswith(("}", "]"))
    if at >= len(text.rstrip()) or unterminated:
        return "unexpected EOF"
    return f"invalid character {text[at]!r} at offset {at}"
