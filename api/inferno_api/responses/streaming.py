"""Accepted frames as server-sent events: each delta goes out as the bytes that stand in the log, never parsed."""

from collections.abc import Sequence

import msgspec

from inferno_api import failures
from inferno_api.responses.answers import counts
from inferno_core.acceptance import Accepted
from inferno_core.errors import InfernoError
from inferno_core.records import Final, Surface

KEEPALIVE = b": ping\n"
"""A comment with one newline: with two, openai-python would take it for an empty event once it has seen an id."""

DONE = b"data: [DONE]\n\n"
_OBJECTS: dict[Surface, str] = {"chat": "chat.completion.chunk", "completion": "text_completion"}


class EventStream:
    """Renders one generation for one connection."""

    def __init__(
        self, surface: Surface, *, id: str, created: int, model: str, fingerprint: str, include_usage: bool
    ) -> None:
        facts = {"id": id, "object": _OBJECTS[surface], "created": created, "model": model}
        envelope = msgspec.json.encode(facts | {"system_fingerprint": fingerprint or None})
        self._head = b"data: " + envelope[:-1] + b',"choices":['
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._include_usage = include_usage

    def render(self, frames: Sequence[Accepted]) -> bytes:
        """Render frames that carry words, in order. Those that carry none give nothing."""
        head, tail = self._head, self._tail
        return b"".join(
            b'%b%b],"token_index":%b%b' % (head, frame.delta, b"%d" % index if index >= 0 else b"null", tail)
            for frame, index in frames
            if frame.delta
        )

    def end(self, final: Final) -> bytes:
        """Render the end of a generation that finished: its usage, if that was asked for, and the closing mark."""
        if not self._include_usage:
            return DONE
        usage = msgspec.json.encode(counts(final.usage))
        return b'%b],"token_index":null,"usage":%b}\n\n%b' % (self._head, usage, DONE)


def error_event(error: InfernoError) -> bytes:
    """Render an error that comes after the status was sent; the stream ends behind it."""
    return b"data: %b\n\n" % failures.encode(error)
