"""The relational store: one file, one writer at a time, every change one transaction."""
