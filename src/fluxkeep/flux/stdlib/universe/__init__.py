"""`universe`: what every script knows without an import."""

from __future__ import annotations

from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe import aggregates, find, mapping, rank, scalars, selectors, sequences, shape, windows

PACKAGE = Package("universe")
PACKAGE.include(scalars.PART, shape.PART, aggregates.PART, selectors.PART, windows.PART)
PACKAGE.include(sequences.PART, rank.PART, find.PART, mapping.PART)
