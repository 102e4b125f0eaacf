"""Ingest: points into the store and out of it, for a caller who may."""

from fluxkeep.ingest.partial import STRING_BYTES_MAX, PointRules
from fluxkeep.ingest.service import Ingest, v1_precision

__all__ = ["STRING_BYTES_MAX", "Ingest", "PointRules", "v1_precision"]
