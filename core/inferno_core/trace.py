"""Whose work a piece of work is part of: W3C Trace Context, without an SDK."""

import re
import secrets
from typing import NamedTuple

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class TraceContext(NamedTuple):
    """A span's place: both ids in lower-case hex, of 32 and 16 characters. Only what is `sampled` is told."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """As the header says it."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


def parse(traceparent: str) -> TraceContext | None:
    """Read a header; None where it is not one, which is to be treated as if there were none."""
    match = _TRACEPARENT.fullmatch(traceparent)
    return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1)) if match else None


def child(parent: TraceContext) -> TraceContext:
    """Name a new span below `parent`."""
    return parent._replace(span_id=secrets.token_hex(8))


def root(*, sampled: bool) -> TraceContext:
    """Name the first span of a new trace."""
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8), sampled)


def descend(traceparent: str, ratio: float) -> TraceContext:
    """Name a span below `traceparent`, or, where that is none, the first of a new trace: one in `1 / ratio` is sampled.

    The choice is made by the trace's own id, so that all who see the trace would choose alike.
    """
    parent = parse(traceparent)
    if parent is not None:
        return child(parent)
    begun = root(sampled=True)
    return begun._replace(sampled=int(begun.trace_id[16:], 16) < ratio * 2**64)
