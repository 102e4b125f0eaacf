"""Packages on dates on their way into the library."""
