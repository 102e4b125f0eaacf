"""The hash-chained log of administrative acts: what a record says, the chain, writing and verifying it."""
