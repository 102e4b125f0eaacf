"""Contributed packages."""
