"""Queries: text to result stream, and the only giver of Readers."""
