"""Reading a `POST /api/v2/query`: the two body forms and the dialect.

Source: http-api.md §10.1, §10.2, §27.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import parse_rfc3339
from fluxkeep.query.service import FluxQuery

_ANNOTATIONS = frozenset(("group", "datatype", "default"))
_NOT_JSON = (
    "failed parsing request body as JSON; if sending a raw Flux script, "
    "set 'Content-Type: application/vnd.flux' in your request headers: "
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class DialectWire(msgspec.Struct, frozen=True, rename="camel"):
    """How the client wants its CSV."""

    header: bool | None = None
    delimiter: str = ""
    annotations: list[str] | None = None
    comment_prefix: str = ""
    date_time_format: str = ""


class QueryWire(msgspec.Struct, frozen=True):
    """The JSON form."""

    query: str = ""
    type: str = ""
    ast: dict[str, Any] | None = None
    extern: dict[str, Any] | None = None
    now: str | None = None
    dialect: DialectWire | None = None


def read_request(body: bytes, content_type: str) -> FluxQuery:
    """The request in a body.

    Raises:
        InvalidInput: With the reference's text, without its outermost prefix.
    """
    if _media_type(content_type) == "application/vnd.flux":
        return _checked(QueryWire(query=body.decode("utf-8", "replace")))
    try:
        return _checked(decode_json(body, QueryWire))
    except BadBody as error:
        raise InvalidInput(_NOT_JSON + error.reason) from None


def _checked(wire: QueryWire) -> FluxQuery:
    if not wire.query and wire.ast is None:
        raise InvalidInput("request body requires either query or AST")
    if wire.type not in ("", "flux"):
        raise InvalidInput(f"unknown query type: {wire.type}")
    now_ns: int | None = None
    if wire.now:
        try:
            now_ns = parse_rfc3339(wire.now)
        except ValueError:
            raise InvalidInput(f'{_NOT_JSON}parsing time "{wire.now[:64]}" as RFC 3339') from None
    dialect = wire.dialect or DialectWire()
    if len(dialect.comment_prefix.encode()) > 1:
        raise InvalidInput("invalid dialect comment prefix: must be length 0 or 1")
    if len(dialect.delimiter.encode()) > 1:
        raise InvalidInput("invalid dialect delimeter: must be length 1")
    for annotation in dialect.annotations or ():
        if annotation not in _ANNOTATIONS:
            raise InvalidInput(f"unknown dialect annotation type: {annotation}")
    if dialect.date_time_format not in ("", "RFC3339", "RFC3339Nano"):
        raise InvalidInput(f"unknown dialect date time format: {dialect.date_time_format}")
    return FluxQuery(
        text=wire.query,
        ast=wire.ast,
        extern=wire.extern,
        now_ns=now_ns,
        annotations=tuple(dialect.annotations or ()),
        header=dialect.header is not False,
        delimiter=dialect.delimiter or ",",
    )


def _media_type(content_type: str) -> str:
    """The type without parameters; an absent one is empty.

    Raises:
        InvalidInput: Malformed, in the words of the reference's reader.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not kind:
        return ""
    main, slash, sub = kind.partition("/")
    if not _TOKEN.fullmatch(main):
        raise InvalidInput("mime: no media type")
    if slash and not _TOKEN.fullmatch(sub):
        raise InvalidInput(
            "mime: expected token after slash" if not sub else "mime: unexpected content after media subtype"
        )
    return kind
