"""The HTTP API, one module a noun: its models, its SQL and its routes together."""
