"""Annotated CSV, v1 JSON, CSV and msgpack: results to bytes and back."""
