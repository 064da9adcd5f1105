"""The span that a request leaves, on the production application over a scripted log."""

from typing import Any

import httpx
import pytest

from inferno_core import trace
from inferno_core.errors import EngineFailed, Unavailable
from inferno_stream.tracing import Span

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "a private word"}], "temperature": 0.5, "seed": 7}
CALLER = trace.root(sampled=True)


async def ask(client: httpx.AsyncClient, world: Any, **changes: Any) -> Span:
    headers = {"traceparent": CALLER.traceparent}
    await client.post("/v1/chat/completions", json=CHAT | changes, headers=headers)
    (span,) = world.tracer.spans
    assert "a private word" not in repr(span)
    assert "Hello" not in repr(span)
    return span


async def test_a_request_goes_on_with_its_callers_trace(client: httpx.AsyncClient, world: Any) -> None:
    span = await ask(client, world)
    assert (span.name, span.kind, span.parent) == ("POST /v1/chat/completions", "server", CALLER)
    (draft,) = world.edge.submitted
    assert trace.parse(draft.trace) == span.context
    assert span.start_ns < span.end_ns
    assert span.error == ""
    told = span.attributes
    assert told["http.response.status_code"] == 200
    assert told["gen_ai.request.model"] == "smollm2"
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.seed"]) == (0.5, 7)
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (3, 2)
    assert (told["gen_ai.operation.name"], told["inferno.outcome"]) == ("chat", "finished")


async def test_where_nobody_traces_a_new_trace_begins(client: httpx.AsyncClient, world: Any) -> None:
    await client.get("/v1/models", headers={"traceparent": "nonsense"})
    await client.get("/nowhere/private-word")
    listed, lost = world.tracer.spans
    assert (listed.parent, lost.parent) == (None, None)
    assert listed.context.trace_id != lost.context.trace_id
    assert (lost.name, lost.error) == ("GET unmatched", "")
    assert "private-word" not in repr(lost)


async def test_what_a_caller_does_not_sample_is_not_told_but_passed_on(client: httpx.AsyncClient, world: Any) -> None:
    caller = trace.root(sampled=False)
    await client.post("/v1/chat/completions", json=CHAT, headers={"traceparent": caller.traceparent})
    assert world.tracer.spans == []
    passed = trace.parse(world.edge.submitted[0].trace)
    assert passed is not None
    assert (passed.trace_id, passed.sampled) == (caller.trace_id, False)


async def test_probes_are_not_traced(client: httpx.AsyncClient, world: Any) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        await client.get(path)
    assert world.tracer.spans == []


@pytest.mark.parametrize(
    ("script", "stream", "error"),
    [
        ([Unavailable("Kafka is away.")], False, "unavailable"),
        ([Unavailable("Kafka is away.")], True, "unavailable"),
        ([[], EngineFailed("The engine said 'a private word'.")], False, "engine_failed"),
    ],
)
async def test_what_the_platform_failed_at_is_an_error_of_its_span(
    client: httpx.AsyncClient, world: Any, script: Any, stream: bool, error: str
) -> None:
    world.script = lambda draft: script
    assert (await ask(client, world, stream=stream)).error == error


@pytest.mark.parametrize("changes", [{"model": "nobody's"}, {"temperature": 9}, {"messages": "a private word"}])
async def test_what_a_client_does_wrong_is_none(client: httpx.AsyncClient, world: Any, changes: Any) -> None:
    assert (await ask(client, world, **changes)).error == ""
