"""The hash-chained log of administrative acts."""
