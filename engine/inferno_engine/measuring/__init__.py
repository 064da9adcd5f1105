"""Measures engines: the same load through Triton and sessions, in process, and over vLLM's own HTTP server."""
