"""Flux source text to tree and back: scanner, tree, parser, formatter, the tree as JSON."""
