"""The field's nouns as types: series, points, predicates, the Reader seam. No I/O."""
