"""Request and response shapes, camelCase as on the wire."""
