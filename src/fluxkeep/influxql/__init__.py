"""The InfluxQL engine: syntax, rewrite, plan, execution."""
