"""Organizations, users, buckets, memberships, database mappings."""
