"""Ingest: points into the store and out of it, for a caller who may."""

from fluxkeep.ingest.partial import STRING_BYTES_MAX, PointRules
from fluxkeep.ingest.service import Ingest, Writing, v1_precision

__all__ = ["STRING_BYTES_MAX", "Ingest", "PointRules", "Writing", "v1_precision"]
