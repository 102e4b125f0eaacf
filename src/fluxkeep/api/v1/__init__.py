"""The v1 compatible endpoints."""
