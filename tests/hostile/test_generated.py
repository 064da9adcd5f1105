"""Ten thousand requests and more that a property-based tool makes up from the committed document."""

import asyncio
import http.client
import json
import os
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.hostile import requests, witness
from tests.hostile.conftest import Target
from tests.hostile.raw import PATIENCE_S, Reply
from tests.hostile.requests import Generated

REQUESTS = int(os.environ.get("GENERATED_REQUESTS", "10000"))
"""How many, in all. More of them find more: every run of more than this draws others."""

THREADS = 4
WARM = 0.3
"""What share of them is sent before the measuring begins: caches and allocators have what they need by then."""

pytestmark = [pytest.mark.stack, pytest.mark.timeout(60 + REQUESTS // 20)]


class Caller:
    """A connection that asks one request after the other, and waits for each answer."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def ask(self, data: bytes) -> Reply:
        """Ask; there has to be an answer in time."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, PATIENCE_S)
        self._socket.sendall(data)
        answer = http.client.HTTPResponse(self._socket, method="POST")
        answer.begin()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        reply = Reply(answer.status, headers, answer.read())
        if answer.will_close or headers.get("connection") == "close":
            self.close()
        return reply

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Judge:
    """Holds answers to what any answer has to be, and counts them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def hear(self, asked: Generated, reply: Reply) -> None:
        """Judge an answer."""
        with self._lock:
            self.counts["requests"] += 1
            self.counts[str(reply.status)] += 1
        assert reply.headers["x-request-id"]
        if reply.status == 200:
            assert asked.is_taken is not False, "the document does not take what was answered"
            self._hear_answer(asked, reply)
        else:
            assert reply.status in {400, 404, 413}, reply
            assert reply.error["type"] == "invalid_request_error"
            assert len(reply.body) < 4000

    def _hear_answer(self, asked: Generated, reply: Reply) -> None:
        if reply.headers["content-type"].startswith("text/event-stream"):
            assert reply.events[-1] == "[DONE]", reply.events[-1]
            for event in reply.events[:-1]:
                assert json.loads(event)["choices"] is not None
            return
        answer: dict[str, Any] = json.loads(reply.body)
        assert answer["usage"]["prompt_tokens"] >= 0
        for choice in answer.get("choices", ()):
            assert choice["finish_reason"] in {"stop", "length", "tool_calls"}


async def test_whatever_is_asked_is_answered_and_leaves_no_trace(target: Target) -> None:
    judge = Judge()
    await asyncio.to_thread(hammer, target, judge, int(REQUESTS * WARM), first_seed=0)
    await witness.until_empty(target.status)
    before = await witness.state(target.stack)
    await asyncio.to_thread(hammer, target, judge, REQUESTS - int(REQUESTS * WARM), first_seed=THREADS)
    await witness.until_empty(target.status)
    after = await witness.state(target.stack)
    print(dict(judge.counts))
    print({name: round(now.rss_mib - before.processes[name].rss_mib, 1) for name, now in after.processes.items()})
    witness.unharmed(before, after)
    assert judge.counts["requests"] >= REQUESTS
    assert min(judge.counts["200"], judge.counts["400"]) > REQUESTS / 20


def hammer(target: Target, judge: Judge, count: int, first_seed: int) -> None:
    """Send `count` requests over some connections at once; each draws its own."""
    with ThreadPoolExecutor(THREADS) as pool:
        runs = [pool.submit(_hammer, target, judge, -(-count // THREADS), first_seed + at) for at in range(THREADS)]
        for each in runs:
            each.result()


def _hammer(target: Target, judge: Judge, count: int, seed_: int) -> None:
    caller = Caller(target.address)

    @seed(seed_)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(requests.generated(target.key))
    def ask(asked: Generated) -> None:
        try:
            judge.hear(asked, caller.ask(asked.data))
        except Exception:
            caller.close()
            raise

    try:
        ask()
    finally:
        caller.close()
