import asyncio
import json
from typing import Any

import msgspec
import pytest
from starlette.types import Message

from inferno_api.exchange import Exchange
from inferno_api.responses import whole
from inferno_api.responses.chat_folding import ChatFolding
from inferno_api.responses.whole import Whole
from inferno_api.wire.connection import ClientGone
from inferno_core.errors import EngineFailed, InvalidRequest, Unavailable
from inferno_core.records import Failure, Final, Frame, Head, Outcome, Tenant, Usage
from inferno_stream.edge import Draft, Follower

TENANT = Tenant("o", "p", "k")
HEAD = Head("i", 0, "chat", 77, 1, False, TENANT, "", "m", "3", "fingerprint", 12)
END = Final(Outcome.FINISHED, usage=Usage(1, 2))


class Reader:
    """A whole answer's reader: what is heard is fed by the test."""

    def __init__(self) -> None:
        draft = Draft("chat", b"{}", "m", "3", TENANT, 1)
        self.answer = Whole(Exchange("r", version="3"), draft, ChatFolding())
        self.follower = Follower("i", "r", lambda follower: None, self.answer)
        self.sent: list[Message] = []
        self.gone = asyncio.Event()
        self.task = asyncio.create_task(self.answer.give(self.follower, {}, self._receive, self._send))

    def feed(self, text: str, final: Final | None = None, *, count: int = 1) -> None:
        for index in range(count):
            delta = msgspec.json.encode({"index": 0, "delta": {"content": text}})
            self.follower.feed(Frame("i", 0, 0, index, (1,), delta, None, final))
        self.follower.flush()

    async def _receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


async def test_it_is_sent_once_it_is_complete() -> None:
    reader = Reader()
    reader.follower.feed(HEAD)
    reader.follower.feed(Frame("i", 0, 0, 0, (1,), b'{"index":0,"delta":{"content":"He"}}'))
    reader.follower.flush()
    await asyncio.sleep(0)
    assert reader.sent == []
    reader.follower.feed(Frame("i", 0, 0, 1, (1,), b'{"index":0,"delta":{"content":"llo"}}', "stop", END))
    reader.follower.flush()
    await asyncio.wait_for(reader.task, 1)
    start, body = reader.sent
    said: Any = json.loads(body["body"])
    assert said["choices"][0]["message"]["content"] == "Hello"
    assert (said["id"], said["created"], said["system_fingerprint"]) == ("i", 77, "fingerprint")
    assert (b"content-length", b"%d" % len(body["body"])) in start["headers"]
    assert (b"x-inferno-queue-ms", b"12") in start["headers"]


async def test_a_burst_is_no_slow_reader() -> None:
    """Frames are folded as they are read: far more than a follower's buffer holds, before the task had a turn."""
    reader = Reader()
    reader.feed("word ", count=10_000)
    reader.follower.feed(Frame("i", 0, 0, 10_000, (), b"", None, END))
    reader.follower.flush()
    await asyncio.wait_for(reader.task, 5)
    assert json.loads(reader.sent[1]["body"])["choices"][0]["message"]["content"] == "word " * 10_000


async def test_the_way_in_which_it_failed_is_raised() -> None:
    reader = Reader()
    reader.feed("He", Final(Outcome.FAILED, failure=Failure("engine_failed", "It broke.")))
    with pytest.raises(EngineFailed, match="It broke"):
        await asyncio.wait_for(reader.task, 1)
    cut = Reader()
    cut.follower.cut(Unavailable("The log is away."))
    with pytest.raises(Unavailable):
        await asyncio.wait_for(cut.task, 1)


async def test_a_client_that_is_gone_is_not_waited_for() -> None:
    reader = Reader()
    reader.gone.set()
    with pytest.raises(ClientGone):
        await asyncio.wait_for(reader.task, 1)


async def test_an_answer_beyond_all_bounds_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "MAX_ANSWER_BYTES", 100)
    reader = Reader()
    reader.feed("x" * 200)
    with pytest.raises(InvalidRequest, match="Ask for less"):
        await asyncio.wait_for(reader.task, 1)


async def test_words_of_another_kind_are_the_engines_failure() -> None:
    reader = Reader()
    reader.follower.feed(Frame("i", 0, 0, 0, (1,), b'{"index":0,"text":"a"}'))
    reader.follower.flush()
    with pytest.raises(EngineFailed):
        await asyncio.wait_for(reader.task, 1)
