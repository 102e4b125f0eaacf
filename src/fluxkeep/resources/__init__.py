"""Org-owned documents that are kept but not interpreted: labels, variables, secrets."""
