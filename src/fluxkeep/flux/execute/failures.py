"""Failures whose place is told otherwise than most."""

from __future__ import annotations

from fluxkeep.errors import InvalidInput


class PlacedError(InvalidInput):
    """A failure whose message says already where it happened, or must not."""
