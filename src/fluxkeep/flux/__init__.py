"""The Flux engine: syntax, semantic checks, interpreter, plan, execution, standard library."""
