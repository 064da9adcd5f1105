"""curl → API → Kafka → worker → Triton → worker → Kafka → API → curl, with the synthetic engine."""

import asyncio
import json
import statistics
import time
from typing import Any

import httpx
import pytest

from inferno_core import address, codec
from inferno_core.records import Claim, Done, Head, Request
from inferno_engine.synthetic.request import chat_text, completion_text
from tests import token_log

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def body(prompt: str, **parameters: Any) -> dict[str, Any]:
    return {"model": "synthetic", "messages": [{"role": "user", "content": prompt}], "temperature": 0} | parameters


async def chunks(client: httpx.AsyncClient, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Stream a chat completion to its end."""
    async with client.stream("POST", "/v1/chat/completions", json=request | {"stream": True}) as response:
        assert response.status_code == 200, await response.aread()
        lines = [line async for line in response.aiter_lines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def words(of: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in of for choice in chunk["choices"])


def expected(request: dict[str, Any]) -> str:
    return chat_text(request["messages"], temperature=0, max_tokens=request["max_tokens"])


async def test_a_hundred_streams_get_every_token_once_and_in_order(stack: Any) -> None:
    requests = [body(f"Tell me about the number {number}.", max_tokens=40) for number in range(100)]
    async with stack.client(0) as first, stack.client(1) as second:
        clients = (first, second)
        answers = await asyncio.gather(*(chunks(clients[at % 2], each) for at, each in enumerate(requests)))
    assert [words(answer) for answer in answers] == [expected(request) for request in requests]
    for answer in answers:
        places = [chunk["token_index"] for chunk in answer if chunk.get("token_index") is not None]
        assert places == sorted(set(places))
        assert places[-1] == 39
        assert len({chunk["id"] for chunk in answer}) == 1


async def test_stream_and_whole_answer_say_the_same(stack: Any) -> None:
    request = body("Say it twice.", max_tokens=25)
    async with stack.client() as client:
        whole = (await client.post("/v1/chat/completions", json=request)).json()
        streamed = await chunks(client, request | {"stream_options": {"include_usage": True}})
    assert whole["choices"][0]["message"]["content"] == words(streamed) == expected(request)
    assert whole["usage"] == streamed[-1]["usage"]
    assert whole["usage"]["completion_tokens"] == 25
    assert whole["choices"][0]["finish_reason"] == "length"


async def test_completions_answer_too(stack: Any) -> None:
    request = {"model": "synthetic", "prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}
    async with stack.client() as client:
        answer = (await client.post("/v1/completions", json=request)).json()
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == completion_text("Once upon a time", temperature=0, max_tokens=12)


async def test_the_whole_life_of_a_request_stands_in_the_log(stack: Any) -> None:
    async with stack.client() as client:
        answer = await chunks(client, body("Where have you been?", max_tokens=5))
    id = answer[0]["id"]
    place = address.locate(id)
    bootstrap = stack.status["endpoints"]["kafka"]

    def is_done(record: object) -> bool:
        return isinstance(record, Done) and record.id == id

    queue = await asyncio.to_thread(
        token_log.read, bootstrap, "inferno-queue", place.p, 0, lambda data: [codec.decode_queue(data)], is_done
    )
    kinds = [type(record) for record in queue if getattr(record, "id", None) == id]
    assert kinds == [Request, Claim, Done]
    said = await asyncio.to_thread(token_log.said, bootstrap, id)
    assert isinstance(said[0], Head)
    assert said[0].waited_ms >= 0
    assert sum(len(frame.tokens) for frame in said[1:]) == 5
    phases = said[-1].final.phases
    assert phases is not None
    # Steps of 20 ms: four of them lie between the first token and the last.
    assert phases.decode_s > 0.05


async def test_a_hang_up_frees_the_slot(make_stack: Any) -> None:
    """All slots of the engine are taken by endless answers: the one that waits speaks once a reader hangs up."""
    stack = make_stack(INFERNO_SYNTHETIC__SLOTS="4").up("--engine", "synthetic")
    async with stack.client(limits=httpx.Limits(max_connections=None)) as client:
        holders = [await Open.begin(client, f"Hold {number}.") for number in range(4)]
        for holder in holders:
            await holder.first_word()
        freed: list[float] = []
        for number in range(20):
            # Its status line comes a second after it was admitted, without a word: by then the engine has it.
            waiting = await Open.begin(client, f"Wait {number}.")
            started = time.monotonic()
            await holders.pop(0).aclose()
            await waiting.first_word()
            freed.append(time.monotonic() - started)
            holders.append(waiting)
        for holder in holders:
            await holder.aclose()
    assert statistics.quantiles(freed, n=20)[-1] <= 0.25, freed


class Open:
    """A stream that was begun and is kept open."""

    def __init__(self, context: Any, response: httpx.Response) -> None:
        self._context = context
        self._lines = response.aiter_lines()

    @classmethod
    async def begin(cls, client: httpx.AsyncClient, prompt: str) -> "Open":
        """Ask for a long answer; return at its status line."""
        asked = body(prompt, max_tokens=8000) | {"stream": True}
        context = client.stream("POST", "/v1/chat/completions", json=asked)
        response = await context.__aenter__()
        assert response.status_code == 200, await response.aread()
        return cls(context, response)

    async def first_word(self) -> None:
        """Wait for its first word."""
        async for line in self._lines:
            if line.startswith("data: ") and words([json.loads(line.removeprefix("data: "))]):
                return
        raise AssertionError("the answer ended before its first word")

    async def aclose(self) -> None:
        """Hang up."""
        await self._context.__aexit__(None, None, None)
