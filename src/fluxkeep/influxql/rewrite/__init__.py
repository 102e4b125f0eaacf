"""Passes from tree to tree: folding of constants, time conditions, wildcards."""
