"""A secret that cannot be printed, logged, compared in variable time or serialised."""

from __future__ import annotations

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Wraps a token, password or session key.

    `reveal` is the only way to its text and is easy to search for. `repr`,
    `str` and formatting give a mask; pickling and copying by serialisation
    raise; equality takes the same time whatever the difference. It is not
    hashable: a set or dictionary of secrets is a table of plaintexts.
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]  # unhashable on purpose

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret's text. Hand it on at once; never keep, log or interpolate it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine = self._text.encode("utf-8", "surrogatepass")
        theirs = other._text.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(mine, theirs)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be serialised")
