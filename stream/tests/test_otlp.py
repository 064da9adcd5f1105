"""Spans over real HTTP to a small collector."""

import time

import pytest
from log_platform import Until
from prometheus_client import CollectorRegistry
from tests.otlp_receiver import Receiver

from inferno_core import trace
from inferno_core.errors import InvalidRequest
from inferno_stream import otlp
from inferno_stream.otlp import OtlpTracer
from inferno_stream.tracing import Span


def make(endpoint: str, registry: CollectorRegistry, ratio: float = 1.0) -> OtlpTracer:
    return OtlpTracer(endpoint, service="api", instance="api-0", ratio=ratio, registry=registry)


def span(tracer: OtlpTracer, name: str = "a", traceparent: str = "", error: str = "") -> Span:
    context = tracer.begin(traceparent)
    assert context is not None
    now = time.time_ns()
    return Span(name, "client", context, trace.parse(traceparent), now - 1000, now, {"n": 3, "all": ("x", "y")}, error)


def fate(registry: CollectorRegistry, name: str) -> float:
    return registry.get_sample_value("inferno_spans_total", {"fate": name}) or 0.0


async def test_a_span_arrives_whole() -> None:
    registry = CollectorRegistry()
    with Receiver.listening() as receiver:
        tracer = make(receiver.endpoint + "/", registry)
        parent = trace.root(sampled=True)
        sent = span(tracer, traceparent=parent.traceparent, error="unavailable")
        tracer.tell(sent)
        await tracer.close()
        (came,) = receiver.spans
    assert (came.service, came.instance, came.name, came.kind) == ("inferno-api", "api-0", "a", "client")
    assert (came.trace, came.id, came.parent) == (parent.trace_id, sent.context.span_id, parent.span_id)
    assert (came.start_ns, came.end_ns) == (sent.start_ns, sent.end_ns)
    assert came.attributes == {"n": 3, "all": ["x", "y"], "error.type": "unavailable"}
    assert came.error == "unavailable"
    assert (fate(registry, "sent"), fate(registry, "dropped")) == (1, 0)


async def test_what_is_not_sampled_is_not_sent() -> None:
    with Receiver.listening() as receiver:
        tracer = make(receiver.endpoint, CollectorRegistry(), ratio=0.0)
        tracer.tell(span(tracer, "own"))
        tracer.tell(span(tracer, "chosen", trace.root(sampled=True).traceparent))
        tracer.tell(span(tracer, "not chosen", trace.root(sampled=False).traceparent))
        await tracer.close()
        assert [came.name for came in receiver.spans] == ["chosen"]


async def test_a_collector_that_is_away_costs_no_memory_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "_MOST_WAITING", 4)
    registry = CollectorRegistry()
    tracer = make("http://127.0.0.1:1", registry)
    for _ in range(10):
        tracer.tell(span(tracer))
    assert fate(registry, "dropped") == 6
    started = time.monotonic()
    await tracer.close()
    assert time.monotonic() - started < 3


async def test_what_a_collector_can_not_take_now_comes_again(monkeypatch: pytest.MonkeyPatch, until: Until) -> None:
    monkeypatch.setattr(otlp, "_EVERY_S", 0.01)
    registry = CollectorRegistry()
    with Receiver.listening() as receiver:
        receiver.status = 503
        tracer = make(receiver.endpoint, registry)
        tracer.tell(span(tracer, "patient"))
        await until(lambda: receiver.asked > 1)
        receiver.status = 200
        await until(lambda: receiver.spans)
        receiver.status = 400
        tracer.tell(span(tracer, "refused"))
        await until(lambda: fate(registry, "dropped"))
        await tracer.close()
    assert [came.name for came in receiver.spans] == ["patient"]
    assert (fate(registry, "sent"), fate(registry, "dropped")) == (1, 1)


async def test_a_collectors_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, x-other=c")
    with Receiver.listening() as receiver:
        tracer = make(receiver.endpoint, CollectorRegistry())
        tracer.tell(span(tracer))
        await tracer.close()
    assert (receiver.headers["x-key"], receiver.headers["x-other"]) == ("a b", "c")


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://"])
def test_what_is_no_address_is_told_at_once(endpoint: str) -> None:
    with pytest.raises(InvalidRequest, match="INFERNO_TELEMETRY__OTLP_ENDPOINT"):
        make(endpoint, CollectorRegistry())
