"""Failures whose place is told otherwise than most."""

from __future__ import annotations

from fluxkeep.errors import FluxkeepError, Internal, InvalidInput


class Placed(FluxkeepError):
    """A failure whose message says already where it happened, or must not."""


class PlacedError(Placed, InvalidInput):
    """The script's or the data's fault."""

    code = InvalidInput.code


class PlacedInternal(Placed, Internal):
    """What the reference calls an internal error."""

    code = Internal.code
