"""A small OpenTelemetry collector: it takes traces over OTLP/HTTP and keeps them, for tests to look at as trees."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as _Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status

_PREFIX = "SPAN_KIND_"


class Received(NamedTuple):
    """A span as it arrived; ids in hex, `parent` empty for a root, times in nanoseconds."""

    service: str
    instance: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    error: str


class Receiver:
    """Takes spans at `endpoint`. `raw` has all bytes that came, to be searched for what must not be in them.

    `status` is what it answers, `asked` counts requests, and `headers` are those of the last one.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.raw: list[bytes] = []
        self.status = 200
        self.asked = 0
        self.headers: dict[str, str] = {}
        self._spans: list[Received] = []
        self._came = threading.Condition()

    @classmethod
    @contextmanager
    def listening(cls, port: int = 0) -> Iterator[Self]:
        """Listen on a free port of loopback until the context is left."""
        server = ThreadingHTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)
        receiver = cls(f"http://127.0.0.1:{server.server_port}")
        server.RequestHandlerClass = _handler(receiver)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def spans(self) -> list[Received]:
        """All spans up to now."""
        with self._came:
            return list(self._spans)

    def trace(self, trace: str, *names: str, timeout_s: float = 15.0) -> list[Received]:
        """Wait until spans of these names are there in `trace`; give all of it, by their beginnings."""

        def found() -> list[Received]:
            return [span for span in self._spans if span.trace == trace]

        with self._came:
            done = self._came.wait_for(lambda: set(names) <= {span.name for span in found()}, timeout_s)
            assert done, f"{names} did not all come in {trace}: {[span.name for span in found()]}"
            return sorted(found(), key=lambda span: span.start_ns)

    def take(self, body: bytes) -> None:
        """Keep what an exporter sent."""
        with self._came:
            self.raw.append(body)
            self._spans += _read(ExportTraceServiceRequest.FromString(body))
            self._came.notify_all()


def tree(spans: list[Received]) -> list[str]:
    """Draw a trace: a line a span, two spaces for each step below its root, siblings by their beginnings."""
    known = {span.id for span in spans}

    def below(parent: str | None, depth: int) -> Iterator[str]:
        for span in spans:
            if span.parent == parent or (parent is None and span.parent not in known):
                yield f"{'  ' * depth}{span.name} [{span.kind}]"
                yield from below(span.id, depth + 1)

    return list(below(None, 0))


def _read(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for group in request.resource_spans:
        resource = _values(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Received(
                    service=resource["service.name"],
                    instance=resource["service.instance.id"],
                    name=span.name,
                    kind=_Span.SpanKind.Name(span.kind).removeprefix(_PREFIX).lower(),
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_values(span.attributes),
                    error=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else "",
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.asked += 1
            receiver.headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path == "/v1/traces" and receiver.status == 200:
                receiver.take(body)
            self.send_response(receiver.status if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
