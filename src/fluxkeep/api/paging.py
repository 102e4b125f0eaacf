"""Paging of lists: reading the parameters, writing the links.

Source: http-api.md §1.7, §27.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID

if TYPE_CHECKING:
    from fluxkeep.api.endpoint import Call

LIMIT_DEFAULT = 20
LIMIT_MAX = 100

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is wanted.

    Attributes:
        offset: May be negative, which is the same as 0 and is echoed in links.
        after: Only items whose id is greater.
    """

    limit: int = LIMIT_DEFAULT
    offset: int = 0
    after: ID | None = None
    sort_by: str | None = None
    descending: bool = False


def parse_page(call: Call) -> Page:
    """Read `limit`, `offset`, `after`, `sortBy` and `descending`; empty values count as absent.

    Raises:
        InvalidInput: With the reference's texts.
    """
    limit = LIMIT_DEFAULT
    if (text := call.first("limit")) is not None:
        limit = _integer(text, "limit is invalid")
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidInput(f"limit must be between 1 and {LIMIT_MAX}")
    offset = 0
    if (text := call.first("offset")) is not None:
        offset = _integer(text, "offset is invalid")
    after: ID | None = None
    if (text := call.first("after")) is not None:
        try:
            after = ID.parse(text)
        except InvalidInput as error:
            raise InvalidInput(f"decoding after: {error.message}") from None
    descending = False
    if (text := call.first("descending")) is not None:
        descending = parse_bool(text, "descending is invalid")
    return Page(limit=limit, offset=offset, after=after, sort_by=call.first("sortBy"), descending=descending)


def parse_bool(text: str, message: str) -> bool:
    """A boolean as the reference reads one from a query string.

    Raises:
        InvalidInput: With `message`, for any other spelling.
    """
    found = _BOOLEANS.get(text)
    if found is None:
        raise InvalidInput(message)
    return found


def page_links(path: str, page: Page, count: int, filters: Mapping[str, str] | None = None) -> dict[str, str]:
    """The `links` of a page: `prev`, `self` and `next`, each only where it has meaning.

    Args:
        path: The family's path.
        page: As parsed.
        count: How many items the store gave for this page, before those that
            the caller may not see were taken out.
        filters: The other parameters, echoed.
    """

    def link(offset: int) -> str:
        values = dict(filters or {})
        values["descending"] = "true" if page.descending else "false"
        values["limit"] = str(page.limit)
        values["offset"] = str(offset)
        if page.after is not None:
            values["after"] = page.after
        if page.sort_by is not None:
            values["sortBy"] = page.sort_by
        return path + "?" + "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in sorted(values.items()))

    links = {}
    if page.offset > 0:
        links["prev"] = link(max(page.offset - page.limit, 0))
    links["self"] = link(page.offset)
    if count >= page.limit:
        links["next"] = link(page.offset + page.limit)
    return links


def _integer(text: str, message: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise InvalidInput(message)
    return int(text)
