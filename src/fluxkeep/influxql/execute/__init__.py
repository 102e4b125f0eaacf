"""Plans run on columns; the only part of this room that knows Polars."""
