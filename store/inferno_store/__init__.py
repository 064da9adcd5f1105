"""Postgres and Redis: one module a noun, with all of its SQL."""
