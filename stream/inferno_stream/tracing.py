"""Spans that are told whole when they are over, with explicit times: nothing rides along with a token."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from inferno_core.trace import TraceContext

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Value = str | int | float | bool | tuple[str, ...]


class Span(Struct, frozen=True):
    """A piece of work that is over. Times are Unix time in nanoseconds; `error` says what went wrong, or is empty."""

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
        """Name a span: below `traceparent` where that is one, else of a new trace. None: it is not to be told."""
        ...

    def tell(self, span: Span) -> None:
        """Tell of a span that is over."""
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
