"""Organizations, users, buckets, memberships and database mappings: rules and records."""
