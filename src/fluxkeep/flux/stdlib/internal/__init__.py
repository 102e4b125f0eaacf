"""Packages that only the test corpus uses."""
