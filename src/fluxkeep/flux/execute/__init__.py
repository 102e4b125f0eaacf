"""Operators on streams of tables; all of them work on columns."""
