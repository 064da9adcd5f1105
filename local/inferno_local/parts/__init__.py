"""The rows of the stack's table, one module a kind of server."""
