"""From a statement to what must be read and computed, with the reference's refusals."""
