"""Ingest: points into the store and out of it, for a caller who may."""

from fluxkeep.ingest.service import Ingest, v1_precision

__all__ = ["Ingest", "v1_precision"]
