"""The spans of the log and of engines, in the words of OpenTelemetry's conventions for messaging and generative AI.

    send inferno-queue              PRODUCER, by the API: until the request stands in the log
    └ process inferno-queue         CONSUMER, by a worker: from its taking the request to the end, or its own
      └ chat MODEL                  CLIENT, by the worker: each time at an engine
        ├ engine queue              INTERNAL, told by the worker, measured by the engine
        ├ engine prefill
        └ engine decode

They tell names, numbers and codes; never content.
"""

import asyncio
import time
from typing import NamedTuple

from inferno_core import trace
from inferno_core.errors import InfernoError
from inferno_core.records import Final, Outcome, Phases, Request, Surface
from inferno_core.trace import TraceContext
from inferno_stream.engine import Order, Place
from inferno_stream.producer import Headers
from inferno_stream.tracing import Kind, Span, Tracer, Value

PROVIDER = "inferno"
OPERATIONS: dict[Surface, str] = {"chat": "chat", "completion": "text_completion", "embedding": "embeddings"}


def final_attributes(final: Final | None) -> dict[str, Value]:
    """Tell the tokens that an engine counted."""
    if final is None or final.usage is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": final.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": final.usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": final.usage.cached_tokens,
    }


class Sending:
    """The span of one request's way into the log, below `traceparent`; without one, it says nothing."""

    def __init__(self, tracer: Tracer, traceparent: str) -> None:
        self._tracer = tracer
        self._asked = traceparent
        self._context = tracer.begin(traceparent) if traceparent else None
        self._start_ns = time.time_ns()

    @property
    def traceparent(self) -> str:
        """What the request carries, so that who takes it goes on from here."""
        return self._asked if self._context is None else self._context.traceparent

    @property
    def headers(self) -> Headers:
        """The same as the record's Kafka headers, for whoever else reads the log."""
        return (("traceparent", self.traceparent.encode()),) if self.traceparent else ()

    def done(self, topic: str, partition: int, id: str, sent: "asyncio.Future[int]") -> None:
        """The log has taken the request, or has not."""
        failed = None if sent.cancelled() else sent.exception()
        error = "cancelled" if sent.cancelled() else failed.code if isinstance(failed, InfernoError) else ""
        if self._context is not None:
            name, parent = f"send {topic}", trace.parse(self._asked)
            attributes = _messaging("send", topic, partition, id)
            self._tracer.tell(_over(name, "producer", self._context, parent, self._start_ns, attributes, error))


class _Stay(NamedTuple):
    """A request's time at one engine."""

    context: TraceContext
    place: Place
    run: str
    start_ns: int


class Journey:
    """The spans of one request at one worker, which took it from `partition` of the queue's `topic`."""

    def __init__(self, tracer: Tracer, request: Request, topic: str, partition: int, *, takeover: bool) -> None:
        context = tracer.begin(request.trace) if request.trace else None
        self._tracer = tracer
        self._request = request
        self._queue = (topic, partition)
        self._takeover = takeover
        self._context = context if context is not None and context.sampled else None
        self._start_ns = time.time_ns()
        self._stay: _Stay | None = None
        self._first_ns = 0

    def at(self, order: Order, place: Place) -> str:
        """The request begins, or goes on, at an engine; gives the traceparent for what is done there."""
        if self._context is None:
            return self._request.trace
        run = "adopted" if place.runs else "rebuilt" if order.history and order.history.frames else "fresh"
        self._stay, self._first_ns = _Stay(trace.child(self._context), place, run, time.time_ns()), 0
        return self._stay.context.traceparent

    def spoke(self) -> None:
        """The engine gave its first token."""
        self._first_ns = time.time_ns()

    def lost(self, error: str) -> None:
        """The engine is lost, and another one is looked for."""
        self._leave(None, error)

    def end(self, final: Final) -> None:
        """The generation has ended. What comes after is not told."""
        error = (
            final.failure.code if final.failure else "" if final.outcome is Outcome.FINISHED else final.outcome.value
        )
        self._finish(final, error)

    def left(self, error: str) -> None:
        """The worker lets go of the request: it was cancelled, or another worker has it now."""
        self._finish(None, error)

    def _finish(self, final: Final | None, error: str) -> None:
        if self._context is None:
            return
        self._leave(final, error)
        name, parent = f"process {self._queue[0]}", trace.parse(self._request.trace)
        attributes = _messaging("process", *self._queue, self._request.id) | {"inferno.takeover": self._takeover}
        self._tracer.tell(_over(name, "consumer", self._context, parent, self._start_ns, attributes, error))
        self._context = None

    def _leave(self, final: Final | None, error: str) -> None:
        """Tell of the stay at an engine, and of what that was doing."""
        stay, self._stay = self._stay, None
        if stay is None or self._context is None:
            return
        operation = OPERATIONS[self._request.surface]
        name, attributes = f"{operation} {self._request.model}", self._generation(operation, stay)
        attributes |= final_attributes(final)
        span = _over(name, "client", stay.context, self._context, stay.start_ns, attributes, error)
        self._tracer.tell(span)
        if final is not None and final.phases is not None:
            self._tell_phases(final.phases, stay.context, span.end_ns)

    def _generation(self, operation: str, stay: _Stay) -> dict[str, Value]:
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": self._request.model,
            "gen_ai.response.id": self._request.id,
            "server.address": stay.place.host,
            "inferno.model.version": stay.place.version,
            "inferno.run": stay.run,
        }
        if self._first_ns:
            attributes["gen_ai.response.time_to_first_chunk"] = (self._first_ns - stay.start_ns) / 1e9
        return attributes

    def _tell_phases(self, phases: Phases, parent: TraceContext, end_ns: int) -> None:
        """Lay the phases side by side, up to the end: the engine's own clock is not this one's."""
        lengths = {"decode": phases.decode_s, "prefill": phases.prefill_s, "queue": phases.queued_s}
        for name, seconds in lengths.items():
            start_ns = end_ns - int(seconds * 1e9)
            self._tracer.tell(Span(f"engine {name}", "internal", trace.child(parent), parent, start_ns, end_ns))
            end_ns = start_ns


def _messaging(operation: str, topic: str, partition: int, id: str) -> dict[str, Value]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(partition),
        "messaging.message.id": id,
    }


def _over(
    name: str,
    kind: Kind,
    context: TraceContext,
    parent: TraceContext | None,
    start_ns: int,
    attributes: dict[str, Value],
    error: str,
) -> Span:
    """Give the span of a work that is over just now."""
    return Span(name, kind, context, parent, start_ns, time.time_ns(), attributes, error)
