"""What a whole stack tells of itself: traces to a small collector, metrics, log lines, and nothing that is private."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.otlp_receiver import Receiver, tree
from tests.test_documents import first_cells

from inferno_core import trace
from inferno_core.trace import TraceContext
from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

PRIVATE = "nightingale"
"""What clients write in these tests, wherever they can; no answer of the synthetic engine has it."""

SPANS = ("POST /v1/chat/completions", "send inferno-queue", "process inferno-queue", "chat synthetic")


class Watched(NamedTuple):
    """A stack and the collector of its spans."""

    stack: Stack
    receiver: Receiver

    def pages(self) -> dict[str, str]:
        """All metrics, by process."""
        endpoints = self.stack.status["endpoints"]
        names = [name for name in endpoints if re.fullmatch(r"(api|worker|agent)-\d+|triton-\d+-metrics", name)]
        return {name: httpx.get(f"http://{endpoints[name]}/metrics").text for name in names}

    def at_work(self) -> str:
        """Wait until a worker says that it has a generation; give its name."""
        found: list[str] = []

        def look() -> bool:
            pages = self.pages().items()
            found[:] = [name for name, page in pages if re.search(r"^inferno_worker_running [1-9]", page, re.MULTILINE)]
            return bool(found)

        self.stack.until(look, "a worker at work")
        return found[0]

    def lines(self, name: str) -> list[dict[str, Any]]:
        """All log lines of a process."""
        return [json.loads(line) for line in self.stack.home.joinpath("logs", f"{name}.log").read_text().splitlines()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Two workers, whose every log line is written, as JSON."""
    with Receiver.listening() as receiver:
        stack = Stack(
            tmp_path_factory.mktemp("watched"),
            INFERNO_TELEMETRY__OTLP_ENDPOINT=receiver.endpoint,
            INFERNO_LOG_FORMAT="json",
            INFERNO_LOG_LEVEL="debug",
        )
        try:
            yield Watched(stack.up("--engine", "synthetic", "--workers", "2"), receiver)
        finally:
            stack.down()


def body(**parameters: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"Tell me about the {PRIVATE}."}
    return {"model": "synthetic", "messages": [message], "temperature": 0, "max_tokens": 8} | parameters


async def ask(stack: Any, caller: TraceContext, **parameters: Any) -> None:
    async with stack.client() as client:
        headers = {"traceparent": caller.traceparent}
        answer = await client.post("/v1/chat/completions", json=body(**parameters), headers=headers)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_is_one_trace_from_its_client_to_the_engines_phases(watched: Watched, stream: bool) -> None:
    caller = trace.root(sampled=True)
    await ask(watched.stack, caller, stream=stream)
    spans = watched.receiver.trace(caller.trace_id, *SPANS, "engine queue", "engine prefill", "engine decode")
    server, send, process, chat, *phases = tree(spans)
    assert [server, send, process, chat] == [
        "POST /v1/chat/completions [server]",
        "  send inferno-queue [producer]",
        "    process inferno-queue [consumer]",
        "      chat synthetic [client]",
    ]
    assert sorted(phases) == [f"        engine {phase} [internal]" for phase in ("decode", "prefill", "queue")]
    by_name = {span.name: span for span in spans}
    root, client = by_name["POST /v1/chat/completions"], by_name["chat synthetic"]
    assert root.parent == caller.span_id
    assert (root.service, client.service) == ("inferno-api", "inferno-worker")
    assert root.start_ns <= by_name["send inferno-queue"].start_ns <= client.start_ns < client.end_ns
    assert root.attributes["gen_ai.usage.output_tokens"] == client.attributes["gen_ai.usage.output_tokens"] == 8
    assert root.attributes["gen_ai.response.id"] == client.attributes["gen_ai.response.id"]
    assert {name for span in spans for name in span.attributes} <= first_cells("Attributes")


async def test_the_line_of_a_request_names_its_trace(watched: Watched) -> None:
    caller = trace.root(sampled=True)
    await ask(watched.stack, caller)

    def said() -> list[dict[str, Any]]:
        return [line for line in watched.lines("api-0") if line.get("trace_id") == caller.trace_id]

    # It is written once all is answered.
    watched.stack.until(lambda: bool(said()), "the line of a request")
    lines = said()
    assert [line["message"] for line in lines] == ["request"]
    assert set(lines[0]) <= first_cells("Facts")
    span = watched.receiver.trace(caller.trace_id, SPANS[0])[0]
    assert (lines[0]["span_id"], lines[0]["generation_id"]) == (span.id, span.attributes["gen_ai.response.id"])


async def test_a_takeover_is_seen_in_trace_and_figures(watched: Watched) -> None:
    stack, caller = watched.stack, trace.root(sampled=True)
    async with stack.client() as client:
        asked = body(stream=True, max_tokens=250)
        headers = {"traceparent": caller.traceparent}
        async with client.stream("POST", "/v1/chat/completions", json=asked, headers=headers) as answer:
            lines = answer.aiter_lines()
            async for line in lines:
                if '"content":"' in line:
                    break
            stack.kill(await asyncio.to_thread(watched.at_work))
            rest = [line async for line in lines]
    assert rest[-2:] == ["data: [DONE]", ""]
    spans = {span.name: span for span in watched.receiver.trace(caller.trace_id, *SPANS)}
    assert spans["process inferno-queue"].attributes["inferno.takeover"] is True
    assert spans["chat synthetic"].attributes["inferno.run"] == "adopted"
    # Where the worker that follows comes back to its partition late there are two.
    assert re.search(r'inferno_takeovers_total{model="synthetic"} [1-9]', watched.pages()["api-0"])
    stack.until_ready()


def test_the_platform_tells_how_old_its_last_answer_is(watched: Watched) -> None:
    answer = httpx.get(f"{watched.stack.credentials['api_urls'][0]}/readyz")
    assert answer.status_code == 200
    assert 0 <= answer.json()["last_answer_age_s"] < 60


def test_a_platform_that_answers_nobody_is_not_ready_and_says_why(make_stack: Any) -> None:
    """Every process lives, the log takes requests, a model serves: only a generation can tell."""
    stack = make_stack(INFERNO_API__CANARY_EVERY_S="0.5", INFERNO_API__CANARY_LIMIT_S="2").up("--engine", "synthetic")
    url, worker = stack.credentials["api_urls"][0], stack.process("worker-0")["pid"]
    os.kill(worker, signal.SIGSTOP)
    try:
        stack.until(lambda: httpx.get(f"{url}/readyz").status_code == 503, "not ready")
        message = httpx.get(f"{url}/readyz").json()["error"]["message"]
        assert re.fullmatch(r"the last answer is \d+ s old, and the limit is 2 s: .+", message)
        assert httpx.get(f"{url}/healthz").status_code == 200
    finally:
        os.kill(worker, signal.SIGCONT)
    stack.until_ready()


async def bother(stack: Any) -> None:
    """Write what is private wherever a client can write."""
    odd = {"user": PRIVATE, "metadata": {PRIVATE: PRIVATE}, "stop": [PRIVATE], "seed": 3, "stream": True}
    tool = {"type": "function", "function": {"name": PRIVATE, "parameters": {"type": "object"}}}
    wrong = [{"temperature": PRIVATE}, {"model": PRIVATE}, {"tools": [tool]}, {"messages": PRIVATE}, {PRIVATE: 1}, odd]
    marked = {"x-note": PRIVATE, "tracestate": f"a={PRIVATE}", "x-request-id": f"{PRIVATE} is no plain id"}
    async with stack.client() as client:
        client.headers.update(marked)
        for change in wrong:
            await client.post("/v1/chat/completions", json=body(**change))
        await client.post("/v1/chat/completions", content=PRIVATE.encode())
        await client.post("/v1/completions", json={"model": "synthetic", "prompt": PRIVATE * 20_000, "max_tokens": 1})
        await client.get(f"/{PRIVATE}?{PRIVATE}={PRIVATE}")
        await client.get(f"/v1/models/{PRIVATE}")
        await client.post("/v1/chat/completions", json=body(), headers={"authorization": f"Bearer {PRIVATE}"})
        await asyncio.gather(*(client.post("/v1/chat/completions", json=body()) for _ in range(8)))
        await hang_up(client)


async def hang_up(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", "/v1/chat/completions", json=body(stream=True, max_tokens=500)) as answer:
        async for line in answer.aiter_lines():
            if line:
                return


async def test_nothing_private_and_no_secret_stands_in_lines_spans_or_figures(watched: Watched) -> None:
    await bother(watched.stack)
    caller = trace.root(sampled=True)
    await ask(watched.stack, caller)
    watched.receiver.trace(caller.trace_id, *SPANS)
    said = {path.name: path.read_text(errors="replace") for path in (watched.stack.home / "logs").iterdir()}
    said |= watched.pages() | {"spans": b"".join(watched.receiver.raw).decode("latin-1")}
    hidden = {PRIVATE, *secrets(watched.stack.home)}
    assert len(said) > 8
    assert len(hidden) > 4
    for name, text in said.items():
        for secret in hidden:
            assert secret not in text, f"{name} has {secret[:6]}…: {around(text, secret)}"


def secrets(home: Path) -> set[str]:
    """Give every secret that the stack uses."""
    found = {json.loads((home / "credentials.json").read_text())["api_key"]}
    return found | {text for text in json.loads((home / "secrets.json").read_text()).values() if len(text) > 8}


def around(text: str, found: str) -> str:
    at = text.index(found)
    return text[max(0, at - 200) : at + 80]


def test_what_clients_write_makes_no_new_series(watched: Watched) -> None:
    url, bearer = watched.stack.credentials["api_urls"][0], f"Bearer {watched.stack.credentials['api_key']}"
    counts: list[int] = []
    with httpx.Client(base_url=url, headers={"authorization": bearer}) as client:
        for number in range(40):
            client.get(f"/some/path/{number}")
            client.get(f"/v1/models/model-{number}")
            client.post("/v1/chat/completions", json=body(model=f"model-{number}"))
            client.request(f"METHOD{number}", "/v1/models")
            counts.append(len(client.get("/metrics").text.splitlines()))
    assert counts[5:] == counts[5:6] * 35


def test_every_line_is_json(watched: Watched) -> None:
    for name in ("api-0", "worker-0", "worker-1", "agent-0"):
        lines = watched.lines(name)
        assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    assert watched.lines("api-0")
