"""The Flux library; folders and modules mirror import paths."""
