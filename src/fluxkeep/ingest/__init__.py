"""Writes and deletes: resolve, authorize, parse, validate, append."""
