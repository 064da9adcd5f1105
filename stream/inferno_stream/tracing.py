"""Spans that are told whole when they are over, with explicit times: nothing rides along with a token."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from inferno_core.trace import TraceContext, descend

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Value = str | int | float | bool | tuple[str, ...]


class Span(Struct, frozen=True):
    """A piece of work that is over. Times are Unix time in nanoseconds.

    `error` is a code of `errors` or the name of an outcome, never a message, which may hold a client's own words; it
    is empty where nothing went wrong.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: TraceContext | None
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value] = {}
    error: str = ""


class Tracer(Protocol):
    """Where spans go. Never waits: what can't be sent is dropped, and counted."""

    def begin(self, traceparent: str = "") -> TraceContext | None:
        """Name a span: below `traceparent` where that is one, else of a new trace. None: nobody is told of any.

        Whether it is `sampled` is the caller's choice, where there is a caller; what is not need not be told.
        """
        ...

    def tell(self, span: Span) -> None:
        """Tell of a span that is over; one that is not sampled is forgotten."""
        ...

    async def close(self) -> None:
        """Send what is left, within a bound."""
        ...


class NoTracer:
    """Tells nobody of anything."""

    def begin(self, traceparent: str = "") -> TraceContext | None:
        """Name nothing."""
        return None

    def tell(self, span: Span) -> None:
        """Forget a span."""

    async def close(self) -> None:
        """Do nothing."""


class ListTracer:
    """Keeps all spans in `spans`, for tests."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def begin(self, traceparent: str = "") -> TraceContext | None:
        """Name a span, below `traceparent` where that is one."""
        return descend(traceparent, 1.0)

    def tell(self, span: Span) -> None:
        """Keep a span, if it is sampled."""
        if span.context.sampled:
            self.spans.append(span)

    async def close(self) -> None:
        """Do nothing."""
