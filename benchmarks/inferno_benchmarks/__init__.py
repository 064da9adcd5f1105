"""Measurements of a running platform, over HTTP alone: no server code is imported here."""
