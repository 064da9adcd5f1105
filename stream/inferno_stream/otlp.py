"""Spans to an OpenTelemetry collector, over OTLP/HTTP, in batches and by a thread of their own."""

import asyncio
import os
import threading
from collections import deque
from itertools import islice
from urllib.parse import unquote

import httpx
from prometheus_client import CollectorRegistry, Counter

from inferno_core import trace
from inferno_core.errors import InvalidRequest
from inferno_core.trace import TraceContext
from inferno_stream import background
from inferno_stream.otlp_encoding import encode
from inferno_stream.tracing import Span, Value

_MOST_WAITING = 8192
"""Spans that may wait to be sent. More are dropped: a collector that is away must not cost memory."""

_BATCH = 512
_EVERY_S = 1.0
_TIMEOUT_S = 5.0
_CLOSE_S = 1.5

_AGAIN = frozenset({429, 502, 503, 504})
"""What a collector answers that wants the batch once more, as OTLP has it. Anything else but success drops it."""


class OtlpTracer:
    """A `Tracer` that sends to the collector at `endpoint`, `http://host:4318`.

    `service` is the kind of process and `instance` its name; `ratio` is the share of traces that are told where no
    caller decides. `OTEL_EXPORTER_OTLP_HEADERS` in the environment has what the collector asks for, as a key.
    Raises `InvalidRequest` where `endpoint` is no address.
    """

    def __init__(
        self, endpoint: str, *, service: str, instance: str, ratio: float, registry: CollectorRegistry
    ) -> None:
        counter = Counter("inferno_spans", "Spans of traces, by what became of them.", ["fate"], registry=registry)
        self._sent, self._dropped = counter.labels("sent"), counter.labels("dropped")
        self._ratio = ratio
        self._resource: dict[str, Value] = {
            "service.name": f"inferno-{service}",
            "service.namespace": "inferno",
            "service.instance.id": instance,
        }
        self._url = _url(endpoint)
        self._client = httpx.Client(timeout=_TIMEOUT_S, headers=_headers())
        self._waiting: deque[Span] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = background.thread("spans", self._work)

    def begin(self, traceparent: str = "") -> TraceContext | None:
        """Name a span, below `traceparent` where that is one."""
        return trace.descend(traceparent, self._ratio)

    def tell(self, span: Span) -> None:
        """Have a span sent soon; one too many is dropped."""
        if not span.context.sampled:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped.inc()
            return
        self._waiting.append(span)
        if len(self._waiting) == _BATCH:
            self._wake.set()

    async def close(self) -> None:
        """Send what is left, for a second or two."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, _CLOSE_S)

    def _work(self) -> None:
        while not self._closing:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            self._send()
        self._send()
        self._client.close()

    def _send(self) -> None:
        """Send all that waits; what the collector doesn't take now is tried again with what comes next."""
        while batch := list(islice(self._waiting, _BATCH)):
            status = self._post(encode(batch, self._resource))
            if status in _AGAIN:
                return
            for _ in batch:
                self._waiting.popleft()
            (self._sent if 200 <= status < 300 else self._dropped).inc(len(batch))

    def _post(self, data: bytes) -> int:
        try:
            return self._client.post(self._url, content=data).status_code
        except httpx.HTTPError:
            return 503


def _url(endpoint: str) -> str:
    url = httpx.URL(endpoint)
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidRequest(
            f"INFERNO_TELEMETRY__OTLP_ENDPOINT is {endpoint!r}. Write it as http://host:4318, without a path."
        )
    return f"{endpoint.rstrip('/')}/v1/traces"


def _headers() -> dict[str, str]:
    """Read OpenTelemetry's own variable: `name=value,name=value`, percent-encoded."""
    given = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = (pair.partition("=") for pair in given.split(",") if "=" in pair)
    headers = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
    return {**headers, "content-type": "application/x-protobuf"}
