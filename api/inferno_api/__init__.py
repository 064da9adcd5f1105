"""The HTTP edge: OpenAI's REST surface, streamed from the token log."""
