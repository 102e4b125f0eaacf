"""The resources of `/api/v2`, a module each, and what surrounds them."""
