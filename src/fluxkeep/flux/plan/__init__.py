"""The query graph and the rules that move its work into storage."""
