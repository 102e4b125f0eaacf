"""Who may do what: permissions, the standard sets of them, and the decisions drawn from them. Pure."""
