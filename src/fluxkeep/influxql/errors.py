"""QueryError: a statement that parses and cannot run; its text goes into the statement's result."""

from __future__ import annotations

from fluxkeep.errors import InvalidInput


class QueryError(InvalidInput):
    """A run-time error with the reference's text."""
