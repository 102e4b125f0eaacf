"""Backup and restore: a consistent copy of everything out, and back in whole or not at all."""
