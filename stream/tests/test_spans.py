"""The spans of the log and of engines, by an owner on a log in memory, and by the span maker alone."""

import asyncio
import time
from typing import Any

import pytest
from log_platform import MakeDraft, Until
from msgspec.structs import replace
from test_owner import FakeGround, begin, spoken, take

from inferno_core import address, trace
from inferno_core.acceptance import History
from inferno_core.address import Address
from inferno_core.effects import EngineFrame
from inferno_core.errors import Unavailable
from inferno_core.records import Claim, Detach, Done, Epoch, Failure, Final, Head, Outcome, Phases, Request, Usage
from inferno_stream.fake import words
from inferno_stream.spans import Journey, Sending
from inferno_stream.tracing import ListTracer, NoTracer, Span

ROOT = trace.root(sampled=True)


@pytest.fixture
def asked(draft: MakeDraft) -> Request:
    made = draft()
    place = Address(incarnation=b"test", topic=0, p=0, known=0, r=0, reply_from=0)
    id = address.issue(place, "chat", made.tenant, b"k" * 32)
    return replace(made.request(id, "reader", int(time.time() * 1000) - 1500), trace=ROOT.traceparent)


def drawn(spans: list[Span]) -> list[tuple[str, str, str, str]]:
    """Name, kind and error of each span, and its parent's name."""
    names = {span.context.span_id: span.name for span in spans} | {ROOT.span_id: "root"}
    parents = [names.get(span.parent.span_id if span.parent else "", "?") for span in spans]
    return [(parent, span.name, span.kind, span.error) for parent, span in zip(parents, spans, strict=True)]


async def test_a_request_is_traced_to_its_engine_and_its_phases(asked: Request, until: Until) -> None:
    ground = FakeGround()
    (first,), *_ = words("a")
    final = Final(Outcome.FINISHED, usage=Usage(7, 2, 3), phases=Phases(0.5, 0.25, 0.125))
    ground.engine.script = lambda request: [[EngineFrame(0, first.tokens, first.delta, "stop", final)]]
    owner = begin(ground, asked)
    take(ground, owner)
    await until(lambda: isinstance(ground.records[-1], Done))
    spans = ground.tracer.spans
    assert drawn(spans) == [
        ("process queue", "chat model", "client", ""),
        ("chat model", "engine decode", "internal", ""),
        ("chat model", "engine prefill", "internal", ""),
        ("chat model", "engine queue", "internal", ""),
        ("root", "process queue", "consumer", ""),
    ]
    client, decode, prefill, queue, process = spans
    assert {span.context.trace_id for span in spans} == {ROOT.trace_id}
    assert client.attributes["gen_ai.usage.input_tokens"] == 7
    assert client.attributes["gen_ai.usage.cache_read.input_tokens"] == 3
    assert client.attributes["inferno.run"] == "fresh"
    assert 0 <= client.attributes["gen_ai.response.time_to_first_chunk"] < 5  # type: ignore[operator]
    assert decode.end_ns == client.end_ns
    assert (decode.start_ns, prefill.start_ns) == (prefill.end_ns, queue.end_ns)
    assert queue.end_ns - queue.start_ns == 500_000_000
    assert process.attributes["messaging.message.id"] == asked.id
    (order,) = ground.engine.orders
    assert trace.parse(order.trace) == client.context


async def test_a_head_says_how_long_the_request_waited(asked: Request, until: Until) -> None:
    ground = FakeGround()
    take(ground, begin(ground, asked))
    await until(lambda: isinstance(ground.records[-1], Done))
    (head,) = [record for record in ground.replies if isinstance(record, Head)]
    assert 1500 <= head.waited_ms < 20_000


async def test_a_takeover_is_another_span_of_the_same_trace(asked: Request, until: Until) -> None:
    ground = FakeGround()
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    ground.searches[0].on_found(spoken(asked))
    await until(lambda: isinstance(ground.records[-1], Done))
    client, process = ground.tracer.spans
    assert (process.attributes["inferno.takeover"], client.attributes["inferno.run"]) == (True, "rebuilt")
    assert process.parent == ROOT


async def test_each_engine_that_is_lost_has_its_span(asked: Request, until: Until) -> None:
    ground = FakeGround()
    held = asyncio.Event()
    ground.engine.pace = held.wait
    owner = begin(ground, asked)
    take(ground, owner)
    ground.engine.running[asked.id].lose()
    (homeless,) = owner.homeless
    assert ground.engine.place is not None
    owner.move(homeless, ground.engine.place)
    ground.searches[0].on_found(History())
    held.set()
    await until(lambda: isinstance(ground.records[-1], Done))
    assert drawn(ground.tracer.spans)[0] == ("process queue", "chat model", "client", "engine_failed")
    assert drawn(ground.tracer.spans)[1] == ("process queue", "chat model", "client", "")


async def test_who_hangs_up_and_who_hands_over_is_told(asked: Request) -> None:
    for leave, error in ((lambda owner: None, "cancelled"), (lambda owner: owner.close(), "released")):
        ground = FakeGround()
        ground.engine.pace = asyncio.Event().wait
        owner = begin(ground, asked)
        take(ground, owner)
        leave(owner)
        ground.records.append(Detach(asked.id, asked.reader))
        ground.settle(owner)
        assert {span.error for span in ground.tracer.spans} == {error}


def journey(tracer: Any, asked: Request) -> Journey:
    return Journey(tracer, asked, "queue", 0, takeover=False)


@pytest.mark.parametrize(
    ("final", "error"),
    [
        (Final(Outcome.FAILED, Failure("engine_failed", "with a client's own words")), "engine_failed"),
        (Final(Outcome.EXPIRED, Failure("deadline_exceeded", "")), "deadline_exceeded"),
        (Final(Outcome.CANCELLED), "cancelled"),
        (Final(Outcome.FINISHED), ""),
    ],
)
def test_an_end_is_told_by_its_code_alone(asked: Request, final: Final, error: str) -> None:
    tracer = ListTracer()
    told = journey(tracer, asked)
    told.end(final)
    told.left("too late")
    (span,) = tracer.spans
    assert span.error == error
    assert "words" not in repr(span)


@pytest.mark.parametrize("traceparent", ["", trace.root(sampled=False).traceparent])
def test_what_nobody_traces_costs_no_span(asked: Request, traceparent: str) -> None:
    tracer = ListTracer()
    told = journey(tracer, replace(asked, trace=traceparent))
    told.end(Final(Outcome.FINISHED))
    assert tracer.spans == []


async def test_the_way_into_the_log_is_a_span_and_the_request_carries_it() -> None:
    tracer = ListTracer()
    for outcome, error in ((None, ""), (Unavailable("Kafka is away."), "unavailable")):
        sending = Sending(tracer, ROOT.traceparent)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)
        sending.done("queue", 3, "id", done)
        span = tracer.spans.pop()
        assert (span.name, span.kind, span.parent, span.error) == ("send queue", "producer", ROOT, error)
        assert span.context.traceparent == sending.traceparent
        assert sending.headers == (("traceparent", sending.traceparent.encode()),)


async def test_without_tracing_a_callers_trace_is_passed_on() -> None:
    sending = Sending(NoTracer(), ROOT.traceparent)
    assert sending.traceparent == ROOT.traceparent
    assert Sending(NoTracer(), "").headers == ()
