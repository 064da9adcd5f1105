import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, Unavailable
from inferno_core.records import Failure, Final, Outcome, Usage
from inferno_stream.edge import Draft
from inferno_stream.fake import words

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]}
TEXT = {"model": "smollm2", "prompt": "Hi"}
SURFACES = [("/v1/chat/completions", CHAT), ("/v1/completions", TEXT)]


def failing(code: str, message: str = "It failed.") -> Any:
    final = Final(Outcome.FAILED, failure=Failure(code, message, "messages"))
    return lambda draft: [[EngineFrame(-1, (), b"", None, final)]]


def events(text: str) -> list[Any]:
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


def text_of(path: str, chunk: Any) -> str:
    choice = chunk["choices"][0]
    return (choice["delta"].get("content") or "") if "chat" in path else choice["text"]


@pytest.mark.parametrize(("path", "body"), SURFACES)
async def test_a_stream_carries_the_generation_word_by_word(
    client: httpx.AsyncClient, world: Any, path: str, body: dict[str, Any]
) -> None:
    answer = await client.post(path, json={**body, "stream": True})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-inferno-model-version"] == "1"
    *chunks, done = events(answer.text)
    assert done == "[DONE]"
    assert "".join(text_of(path, chunk) for chunk in chunks) == "Hello world"
    assert [chunk["token_index"] for chunk in chunks] == [0, 1]
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
    assert chunks[0]["id"].startswith("chatcmpl-" if "chat" in path else "cmpl-")
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {
        ("chat.completion.chunk" if "chat" in path else "text_completion", "smollm2")
    }
    assert all("usage" not in chunk for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert world.edge.detached == []


@pytest.mark.parametrize(("path", "body"), SURFACES)
async def test_usage_comes_last_when_it_is_asked_for(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    answer = await client.post(path, json={**body, "stream": True, "stream_options": {"include_usage": True}})
    *chunks, usage, _ = events(answer.text)
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 5
    assert usage["id"] == chunks[0]["id"]


@pytest.mark.parametrize(("path", "body"), SURFACES)
async def test_the_whole_answer_says_what_the_stream_says(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    whole = (await client.post(path, json=body)).json()
    choice = whole["choices"][0]
    assert (choice["message"]["content"] if "chat" in path else choice["text"]) == "Hello world"
    assert choice["finish_reason"] == "stop"
    assert whole["object"] == ("chat.completion" if "chat" in path else "text_completion")
    assert whole["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def test_the_headers_tell_where_the_time_went(client: httpx.AsyncClient) -> None:
    for stream in (True, False):
        answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
        assert answer.headers["x-inferno-model-version"] == "1"
        assert int(answer.headers["x-inferno-queue-ms"]) >= 0
        assert int(answer.headers["x-inferno-overhead-ms"]) >= 0


async def test_texts_are_embedded(client: httpx.AsyncClient, world: Any) -> None:
    def vector(index: int, final: Final | None = None) -> EngineFrame:
        delta = {"object": "embedding", "index": index, "embedding": [0.25, index]}
        return EngineFrame(index, (), msgspec.json.encode(delta), "stop", final)

    end = Final(Outcome.FINISHED, usage=Usage(5, 0))
    world.script = lambda draft: [[vector(1)], [vector(0, end)]]
    await world.show(replace(world.models[1], tasks=("embedding",)))
    answer = await client.post("/v1/embeddings", json={"model": "smollm2", "input": ["a", "b"]})
    assert answer.json() == {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": [0.25, index]} for index in (0, 1)],
        "model": "smollm2",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    assert msgspec.json.decode(world.edge.submitted[0].body) == {"model": "smollm2", "input": ["a", "b"]}


async def test_a_model_that_does_not_embed_says_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/embeddings", json={"model": "smollm2", "input": "a"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert "embedding" in answer.json()["error"]["message"]


async def test_each_prompt_has_its_own_choices(client: httpx.AsyncClient, world: Any) -> None:
    await client.post("/v1/completions", json={**TEXT, "prompt": ["a", "b"], "n": 3})
    assert world.edge.submitted[0].n == 6
    assert msgspec.json.decode(world.edge.submitted[0].body)["prompt"] == ["a", "b"]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/files", "/v1/batches", "/api/consumer/v1/responses"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_comes_later_is_not_here(client: httpx.AsyncClient, path: str, method: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_both_families_of_paths_are_the_same(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/consumer/v1/chat/completions", json=CHAT)).status_code == 200
    assert (await client.get("/api/consumer/v1/models")).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("code", "status"), [("context_length_exceeded", 400), ("worker_lost", 503), ("engine_failed", 500), ("new", 500)]
)
async def test_an_early_failure_is_a_status(
    client: httpx.AsyncClient, world: Any, code: str, status: int, stream: bool
) -> None:
    world.script = failing(code)
    answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == (code if code != "new" else "engine_failed")
    assert (error["message"], error["param"]) == ("It failed.", "messages")
    assert ("retry-after" in answer.headers) == (status == 503)
    assert answer.headers.get("x-should-retry") == ("false" if status == 500 else None)
    assert answer.headers["x-inferno-model-version"] == "1"


@pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.CANCELLED, Outcome.POISONED])
async def test_an_end_without_a_failure_is_still_an_error(
    client: httpx.AsyncClient, world: Any, outcome: Outcome
) -> None:
    world.script = lambda draft: [[EngineFrame(-1, (), b"", None, Final(outcome))]]
    answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == (504 if outcome is Outcome.EXPIRED else 500)


async def test_a_late_failure_comes_inside_the_stream(client: httpx.AsyncClient, world: Any) -> None:
    world.script = lambda draft: [words("Hello", "")[0], *failing("worker_lost")(draft)]
    answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert answer.status_code == 200
    *_, word, error = events(answer.text)
    assert word["choices"][0]["delta"]["content"] == "Hello"
    assert error["error"]["code"] == "worker_lost"
    whole = await client.post("/v1/chat/completions", json=CHAT)
    assert (whole.status_code, whole.headers["x-should-retry"]) == (503, "false")


async def test_a_reader_that_is_cut_is_told(client: httpx.AsyncClient, world: Any) -> None:
    world.script = lambda draft: [words("Hello", "")[0], Unavailable("You fell behind.")]
    answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert "You fell behind." in answer.text


async def test_a_log_that_takes_nothing_is_503(client: httpx.AsyncClient, world: Any) -> None:
    world.script = lambda draft: [Unavailable("Kafka is away.", retry_after_s=7)]
    answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_what_the_engine_gets(client: httpx.AsyncClient, world: Any) -> None:
    asked = {**CHAT, "stream": True, "unknown": 1, "temperature": 0, "user": "me", "max_completion_tokens": 7, "n": 2}
    await client.post("/v1/chat/completions", json=asked)
    draft: Draft = world.edge.submitted[0]
    body = msgspec.json.decode(draft.body)
    assert 0 <= body["seed"] == draft.seed < 2**63
    assert body == {
        "model": "smollm2",
        "messages": CHAT["messages"],
        "temperature": 0.0,
        "max_completion_tokens": 7,
        "n": 2,
        "seed": draft.seed,
    }
    assert (draft.model, draft.version, draft.n, draft.max_tokens) == ("smollm2", "1", 2, 7)
    assert draft.tenant.project == "project"


async def test_a_clients_seed_is_kept(client: httpx.AsyncClient, world: Any) -> None:
    await client.post("/v1/completions", json={**TEXT, "seed": 0})
    assert world.edge.submitted[0].seed == 0


async def test_choices_are_told_apart(client: httpx.AsyncClient, world: Any) -> None:
    def frame(choice: int, text: str, final: Final | None = None) -> EngineFrame:
        delta = {"index": choice, "text": text, "logprobs": None, "finish_reason": "stop" if text == "!" else None}
        return EngineFrame(choice, (1,), msgspec.json.encode(delta), None, final)

    end = Final(Outcome.FINISHED, usage=Usage(1, 4))
    world.script = lambda draft: [[frame(1, "b"), frame(0, "a")], [frame(0, "!")], [frame(1, "!", end)]]
    whole = (await client.post("/v1/completions", json={**TEXT, "n": 2})).json()
    assert [(choice["index"], choice["text"]) for choice in whole["choices"]] == [(0, "a!"), (1, "b!")]
    stream = events((await client.post("/v1/completions", json={**TEXT, "n": 2, "stream": True})).text)
    assert [chunk["token_index"] for chunk in stream[:-1]] == [0, 1, 2, 3]


class Caller:
    """A client below HTTP libraries: it hangs up when the test says so."""

    def __init__(self, world: Any, body: dict[str, Any]) -> None:
        self._body: bytes | None = json.dumps(body).encode()
        self._gone = asyncio.Event()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        headers = [(b"authorization", f"Bearer {world.secret.reveal()}".encode())]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": headers,
            "query_string": b"",
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(world.app(scope, self._receive, self.sent.put))

    def hang_up(self) -> None:
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        await self._gone.wait()
        return {"type": "http.disconnect"}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_that_no_worker_takes_ends_all_the_same(world: Any, stream: bool) -> None:
    world.script = lambda draft: []
    world.edge.speaks = False
    world.wait(queue_s=-9.9)
    async with world.client() as client:
        answer = await client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false")
    assert len(world.edge.detached) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_a_hang_up_while_waiting_leaves_at_once(world: Any, stream: bool) -> None:
    world.script = lambda draft: []
    caller = Caller(world, {**CHAT, "stream": stream})
    await asyncio.wait_for(world.asked.wait(), 5)
    assert world.edge.detached == []
    caller.hang_up()
    await asyncio.wait_for(caller.task, 0.5)
    assert len(world.edge.detached) == 1
    assert caller.sent.empty()


async def test_a_hang_up_amid_words_leaves_at_once(world: Any) -> None:
    world.script = lambda draft: words("Hello", "")[:1]
    caller = Caller(world, {**CHAT, "stream": True})
    assert (await caller.sent.get())["status"] == 200
    assert b"Hello" in (await caller.sent.get())["body"]
    caller.hang_up()
    await asyncio.wait_for(caller.task, 0.5)
    assert len(world.edge.detached) == 1


async def test_a_silent_stream_is_kept_alive_by_safe_comments(world: Any) -> None:
    world.script = lambda draft: words("Hello", "")[:1]
    caller = Caller(world, {**CHAT, "stream": True})
    sent = [await asyncio.wait_for(caller.sent.get(), 5) for _ in range(4)]
    assert [message.get("body") for message in sent[2:]] == [b": ping\n", b": ping\n"]
    caller.hang_up()
    await caller.task


async def test_the_status_waits_a_second_at_most(world: Any) -> None:
    world.script = lambda draft: []
    caller = Caller(world, {**CHAT, "stream": True})
    assert (await asyncio.wait_for(caller.sent.get(), 2))["status"] == 200
    caller.hang_up()
    await caller.task


async def test_the_figures_tell_of_it(client: httpx.AsyncClient, world: Any) -> None:
    await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    world.script = lambda draft: [EngineFailed("It broke.")]
    await client.post("/v1/chat/completions", json=CHAT)
    text = world.parts.metrics.render().decode()
    route = 'route="/v1/chat/completions"'
    assert f'inferno_http_requests_total{{code="",{route},status="200"}} 1.0' in text
    assert f'inferno_http_requests_total{{code="engine_failed",{route},status="500"}} 1.0' in text
