"""`kill -9` each process in the middle of an answer: its reader sees a pause at most, and the next request works."""

import asyncio
import json
import os
import signal
from typing import Any

import httpx
import psutil
import pytest

from inferno_engine.synthetic.request import chat_text

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

MESSAGES = [{"role": "user", "content": "Speak for a while."}]
ASKED: dict[str, Any] = {
    "model": "synthetic",
    "messages": MESSAGES,
    "temperature": 0,
    "max_tokens": 200,
}


class Answer:
    """A streamed answer as far as it came: its text, its error, and whether it was closed in order."""

    def __init__(self, tokens: int = ASKED["max_tokens"]) -> None:
        self.tokens = tokens
        self.text = ""
        self.error: dict[str, Any] | None = None
        self.closed = False
        self.begun = asyncio.Event()
        self._came = asyncio.Event()

    async def further(self, characters: int) -> None:
        """Wait until so much more has come."""
        wanted = len(self.text) + characters
        while len(self.text) < wanted:
            self._came.clear()
            await self._came.wait()

    async def stream(self, client: httpx.AsyncClient) -> None:
        """Follow the answer until it ends, however it does."""
        asked = ASKED | {"max_tokens": self.tokens, "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=asked) as response:
            if response.status_code != 200:
                self.error = json.loads(await response.aread())["error"]
                return
            async for line in response.aiter_lines():
                self._read(line)

    def _read(self, line: str) -> None:
        if line == "data: [DONE]":
            self.closed = True
        elif line.startswith("data: "):
            chunk = json.loads(line.removeprefix("data: "))
            self.error = chunk.get("error", self.error)
            self.text += "".join(choice["delta"].get("content") or "" for choice in chunk.get("choices", ()))
            self._came.set()
            if not self.begun.is_set() and len(self.text.split()) > 5:
                self.begun.set()


async def interrupted(stack: Any, name: str) -> Answer:
    """Kill `name` after some words, and give what the client saw."""
    pid = stack.process(name)["pid"]
    answer = Answer()
    async with stack.client() as client:
        streaming = asyncio.create_task(answer.stream(client))
        await asyncio.wait_for(answer.begun.wait(), 30)
        os.kill(pid, signal.SIGKILL)
        assert not streaming.done()
        await asyncio.wait_for(streaming, 60)
    return answer


async def whole(stack: Any) -> Answer:
    """The next request, once the stack is itself again."""
    await asyncio.to_thread(stack.until_ready)
    answer = Answer()
    async with stack.client() as client:
        await answer.stream(client)
    return answer


def counted(stack: Any, name: str, metric: str) -> float:
    """What a process has counted."""
    lines = httpx.get(f"http://{stack.status['endpoints'][name]}/metrics").text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{metric} ")))


def lost(stack: Any) -> float:
    """How often engines were taken for lost, or given what another had begun."""
    metrics = ("inferno_worker_lost_hosts_total", "inferno_worker_rebuilds_total")
    return sum(counted(stack, f"worker-{number}", metric) for number in range(2) for metric in metrics)


def expected(tokens: int = ASKED["max_tokens"]) -> str:
    return chat_text(MESSAGES, temperature=0, max_tokens=tokens)


@pytest.mark.parametrize("name", ["postgres", "redis"])
async def test_parts_that_tokens_do_not_need(stack: Any, name: str) -> None:
    before = lost(stack)
    answer = await interrupted(stack, name)
    assert (answer.text, answer.error, answer.closed) == (expected(), None, True)
    assert (await whole(stack)).text == expected()
    assert lost(stack) == before


async def test_a_new_agent_finds_what_runs_and_leaves_it_alone(stack: Any) -> None:
    before = lost(stack)
    answer = Answer(tokens=8000)
    async with stack.client() as client:
        streaming = asyncio.create_task(answer.stream(client))
        await asyncio.wait_for(answer.begun.wait(), 30)
        pid = await asyncio.to_thread(stack.kill, "agent-0")
        await asyncio.to_thread(stack.until, lambda: stack.process("agent-0")["pid"] != pid, "another agent")
        await asyncio.to_thread(stack.until_ready)
        # Workers ask each second what agents say, and 1000 characters are some 200 tokens of 20 ms.
        await asyncio.wait_for(answer.further(1000), 30)
        assert not streaming.done()
        assert lost(stack) == before
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
    assert answer.error is None
    assert expected(8000).startswith(answer.text)
    assert (await whole(stack)).text == expected()


async def test_the_broker_only_delays(stack: Any) -> None:
    answer = await interrupted(stack, "kafka")
    assert (answer.text, answer.error, answer.closed) == (expected(), None, True)
    assert (await whole(stack)).text == expected()


async def test_a_lost_worker_only_delays(stack: Any) -> None:
    """Each partition has one owner, so one of the two workers has the answer, and its engine never stops."""
    adoptions = 0.0
    for number in range(2):
        answer = await interrupted(stack, f"worker-{number}")
        assert (answer.text, answer.error, answer.closed) == (expected(), None, True)
        await asyncio.to_thread(stack.until_ready)
        adoptions += sum(counted(stack, f"worker-{each}", "inferno_worker_adoptions_total") for each in range(2))
    assert adoptions
    assert (await whole(stack)).text == expected()


async def test_a_lost_triton_only_delays_and_its_engines_go_with_it(stack: Any) -> None:
    before = stack.process("triton-0")["pid"]
    children = psutil.Process(before).children(recursive=True)
    assert children
    answer = await interrupted(stack, "triton-0")
    assert (answer.text, answer.error, answer.closed) == (expected(), None, True)
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
    assert not alive
    assert gone
    assert (await whole(stack)).text == expected()


async def test_another_triton_takes_what_a_lost_one_had_not_begun(make_stack: Any) -> None:
    stack = make_stack().up("--engine", "synthetic", "--triton", "2")
    await asyncio.to_thread(stack.kill, "triton-0")
    async with stack.client() as client:
        for _ in range(10):
            answer = await client.post("/v1/chat/completions", json=ASKED | {"max_tokens": 5})
            assert answer.status_code == 200, answer.text


async def test_a_dead_stub_is_replaced_and_only_delays(stack: Any) -> None:
    triton = psutil.Process(stack.process("triton-0")["pid"])
    answer = Answer()
    async with stack.client() as client:
        streaming = asyncio.create_task(answer.stream(client))
        await asyncio.wait_for(answer.begun.wait(), 30)
        for stub in triton.children():
            os.kill(stub.pid, signal.SIGKILL)
        assert not streaming.done()
        await asyncio.wait_for(streaming, 90)
    assert (answer.text, answer.error, answer.closed) == (expected(), None, True)
    assert (await whole(stack)).text == expected()


async def test_a_lost_replica_closes_its_connections(stack: Any) -> None:
    pid = stack.process("api-0")["pid"]
    answer = Answer()
    async with stack.client() as client:
        streaming = asyncio.create_task(answer.stream(client))
        await asyncio.wait_for(answer.begun.wait(), 30)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            await asyncio.wait_for(streaming, 30)
    assert (await whole(stack)).text == expected()


async def test_a_killed_supervisor_leaves_nothing_and_up_repairs(make_stack: Any) -> None:
    stack = make_stack().up("--engine", "synthetic", "--workers", "2")
    urls = stack.credentials["api_urls"]
    pids = [process["pid"] for process in stack.status["processes"]]
    os.kill(psutil.Process(pids[0]).ppid(), signal.SIGKILL)
    assert await asyncio.to_thread(stack.leftovers, within_s=15) == []
    stack.up()
    assert stack.credentials["api_urls"] == urls
    assert len(stack.status["processes"]) == len(pids)
    assert (await whole(stack)).text == expected()
