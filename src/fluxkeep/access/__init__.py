"""The permission engine: pure decisions about who may do what."""
