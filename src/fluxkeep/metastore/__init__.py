"""The relational store: engine, unit of work, tables, migrations."""
