"""Authorizations, hashing at rest, passwords, sessions, the authenticator."""
