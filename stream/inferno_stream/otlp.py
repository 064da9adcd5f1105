"""Spans to an OpenTelemetry collector, over OTLP/HTTP, in batches and by a thread of the SDK's.

Of the SDK only batching, encoding and sending are used: its own spans ride in context variables and cost tens of
microseconds each. Its environment variables for headers, certificates and compression hold (`OTEL_EXPORTER_OTLP_…`).
"""

import asyncio
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import CollectorRegistry, Counter

from inferno_core import trace
from inferno_core.trace import TraceContext
from inferno_stream.tracing import Kind, Span

_MOST_WAITING = 8192
"""Spans that may wait to be sent. More are dropped: a collector that is away must not cost memory."""

_BATCH = 512
_EVERY_MS = 1000
_SEND_S = 5.0
_CLOSE_S = 1.5

_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_SCOPE = InstrumentationScope("inferno")


class _Counted(SpanExporter):
    """Sends, and counts what became of each span."""

    def __init__(self, exporter: SpanExporter, sent: Counter, dropped: Counter) -> None:
        self.left = 0
        self._exporter = exporter
        self._sent = sent
        self._dropped = dropped

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch."""
        result = self._exporter.export(spans)
        (self._sent if result is SpanExportResult.SUCCESS else self._dropped).inc(len(spans))
        self.left += len(spans)
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._exporter.shutdown()


class OtlpTracer:
    """A `Tracer` that sends to the collector at `endpoint`, `http://host:4318`.

    `service` is the kind of process and `instance` its name; `ratio` is the share of traces that are told where no
    caller decides.
    """

    def __init__(
        self, endpoint: str, *, service: str, instance: str, ratio: float, registry: CollectorRegistry
    ) -> None:
        spans = Counter("inferno_spans", "Spans of traces, by what became of them.", ["fate"], registry=registry)
        self._dropped = spans.labels("dropped")
        self._ratio = ratio
        self._resource = Resource.create(
            {"service.name": f"inferno-{service}", "service.namespace": "inferno", "service.instance.id": instance}
        )
        self._told = 0
        sender = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_SEND_S)
        self._exporter = _Counted(sender, spans.labels("sent"), self._dropped)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=_MOST_WAITING + _BATCH,
            schedule_delay_millis=_EVERY_MS,
            max_export_batch_size=_BATCH,
        )

    def begin(self, traceparent: str = "") -> TraceContext | None:
        """Name a span, below `traceparent` where that is one."""
        return trace.descend(traceparent, self._ratio)

    def tell(self, span: Span) -> None:
        """Have a span sent soon; one too many is dropped."""
        if not span.context.sampled:
            return
        if self._told - self._exporter.left >= _MOST_WAITING:
            self._dropped.inc()
            return
        self._told += 1
        self._processor.on_end(self._readable(span))

    async def close(self) -> None:
        """Send what is left, for a second or two."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own omission
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="last-spans", daemon=True).start()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await done.wait()
        except TimeoutError:
            self._exporter.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        status = Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET)
        return ReadableSpan(
            name=span.name,
            context=_context(span.context),
            parent=_context(span.parent) if span.parent is not None else None,
            resource=self._resource,
            attributes={**span.attributes, "error.type": span.error} if span.error else dict(span.attributes),
            kind=_KINDS[span.kind],
            status=status,
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=_SCOPE,
        )


def _context(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=False, trace_flags=flags)
