"""File, environment and flags to Settings."""
