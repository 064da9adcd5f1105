import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from inferno_api.exchange import Exchange
from inferno_api.responses.pump import Pump
from inferno_api.wire.connection import ClientGone
from inferno_api.wire.keepalive import Ticker
from inferno_api.wire.outlet import EXTENSION
from inferno_core.errors import DeadlineExceeded, EngineFailed, Unavailable
from inferno_core.records import Deadlines, Failure, Final, Frame, Head, Outcome, Tenant
from inferno_core.settings import ApiSettings
from inferno_stream.edge import Draft
from inferno_stream.follower import Follower

DRAFT = Draft(surface="chat", body=b"{}", model="m", version="1", tenant=Tenant("o", "p", "k"), seed=1)
HEAD = Head(
    id="chatcmpl-1", epoch=0, surface="chat", created=7, n=1, include_usage=False, tenant=Tenant("o", "p", "k"),
    price="", model="m", version="1", fingerprint="f",
)  # fmt: skip
END = Final(Outcome.FINISHED)
FAILED = Final(Outcome.FAILED, failure=Failure("engine_failed", "It failed."))


class FakeWire:
    """A connection that takes what it is given, until it is told to take nothing."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.writes: asyncio.Queue[bytes] = asyncio.Queue()
        self.stuck: list[bytes] = []
        self.is_full = False
        self.ended = ""
        self.callback: Callable[[], None] = lambda: None

    @property
    def unsent_bytes(self) -> int:
        return sum(map(len, self.stuck))

    @property
    def said(self) -> bytes:
        return b"".join(self.taken)

    def on_room(self, callback: Callable[[], None]) -> None:
        self.callback = callback

    def write(self, data: bytes) -> None:
        (self.stuck if self.is_full else self.taken).append(data)
        self.writes.put_nowait(data)

    async def finish(self, data: bytes) -> None:
        self.write(data)
        self.ended = "finished"

    def sever(self, data: bytes) -> None:
        self.taken.append(data)
        self.ended = "severed"

    def get_room(self) -> None:
        self.is_full = False
        self.taken += self.stuck
        self.stuck = []
        self.callback()


class Stream:
    """A streamed answer in the making: a log that the test writes, a connection that the test holds."""

    def __init__(self, draft: Draft = DRAFT, **settings: Any) -> None:
        self.wire = FakeWire()
        self.exchange = Exchange("req_1")
        self.status: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        options = ApiSettings(**{"keepalive_s": 30.0} | settings)
        ticker = Ticker(options.keepalive_s)
        self.pump = Pump(self.exchange, draft, headers=lambda: [(b"x-mine", b"1")], settings=options, ticker=ticker)
        self.left: list[str] = []
        self.follower = Follower("chatcmpl-1", "r", lambda follower: self.left.append(follower.id), self.pump)
        scope = {"type": "http", "extensions": {EXTENSION: self.wire}}
        self.task = asyncio.create_task(self.pump.give(self.follower, scope, self._receive, self._send))
        self._index = 0

    def begin(self) -> None:
        self.follower.feed(HEAD)

    def words(self, *texts: str, final: Final | None = None) -> None:
        for number, text in enumerate(texts):
            last = final if number == len(texts) - 1 else None
            delta = json.dumps({"index": 0, "delta": {"content": text}}).encode()
            self.follower.feed(Frame("chatcmpl-1", 0, 0, self._index, (1,), delta, None, last))
            self._index += 1
        self.follower.flush()

    def end(self, final: Final = END) -> None:
        self.follower.feed(Frame("chatcmpl-1", 0, -1, 0, (), b"", None, final))
        self.follower.flush()

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status.set_result(message)

    @property
    def texts(self) -> list[str]:
        return [event["choices"][0]["delta"]["content"] for event in self.events if "choices" in event]

    @property
    def events(self) -> list[Any]:
        lines = self.wire.said.decode().splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.fixture
async def stream() -> AsyncGenerator[Stream]:
    stream = Stream(slow_reader_bytes=1 << 14)
    yield stream
    stream.task.cancel()
    await asyncio.wait([stream.task])


async def begun(stream: Stream) -> Stream:
    stream.begin()
    stream.words("a")
    await stream.status
    await asyncio.sleep(0)
    return stream


async def test_first_words_go_with_the_status_line(stream: Stream) -> None:
    stream.begin()
    stream.words("a", "b")
    message = await stream.status
    assert message["status"] == 200
    assert {(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-mine", b"1")} <= set(message["headers"])
    await asyncio.sleep(0)
    assert stream.texts == ["a", "b"]
    assert stream.exchange.head == HEAD
    assert stream.events[0]["created"] == 7


async def test_later_words_are_written_as_they_are_heard(stream: Stream) -> None:
    await begun(stream)
    stream.words("b")
    assert stream.texts == ["a", "b"]  # no turn of the loop lies between
    stream.end()
    await stream.task
    assert stream.wire.said.endswith(b"data: [DONE]\n\n")
    assert stream.wire.ended == "finished"
    assert stream.exchange.outcome == "finished"


async def test_an_early_failure_is_raised_before_anything_is_sent(stream: Stream) -> None:
    stream.begin()
    stream.end(FAILED)
    with pytest.raises(EngineFailed, match="It failed"):
        await stream.task
    assert not stream.status.done()


async def test_a_late_failure_is_told_inside(stream: Stream) -> None:
    await begun(stream)
    stream.end(FAILED)
    await stream.task
    assert stream.events[-1]["error"]["code"] == "engine_failed"
    assert b"[DONE]" not in stream.wire.said
    assert stream.exchange.outcome == "engine_failed"


async def test_what_a_client_does_not_take_waits_and_keeps_its_order(stream: Stream) -> None:
    await begun(stream)
    stream.wire.is_full = True
    stream.words("b")
    stream.words("c")
    stream.end()
    await asyncio.sleep(0)
    assert stream.texts == ["a"]
    assert not stream.task.done()
    stream.wire.get_room()
    await stream.task
    assert stream.texts == ["a", "b", "c"]
    assert stream.wire.said.endswith(b"data: [DONE]\n\n")


async def test_a_reader_that_lags_too_far_is_told_its_place_and_severed(stream: Stream) -> None:
    await begun(stream)
    stream.words("b")
    stream.wire.is_full = True
    stream.words(*["x" * 100] * 200)
    assert stream.left == []
    stream.words("too much")
    assert stream.left == ["chatcmpl-1"]
    await stream.task
    assert stream.wire.ended == "severed"
    error = stream.events[-1]["error"]
    assert error["code"] == "unavailable"
    assert "after token_index 1;" in error["message"]
    assert stream.exchange.outcome == "unavailable"


async def test_a_burst_in_one_batch_is_no_fault_of_the_reader(stream: Stream) -> None:
    await begun(stream)
    stream.words(*["x" * 100] * 1000, final=END)
    await stream.task
    assert len(stream.texts) == 1001


async def test_a_reader_that_takes_nothing_is_cut_in_time() -> None:
    stream = await begun(Stream(slow_reader_s=0.05, keepalive_s=0.08))
    stream.wire.is_full = True
    stream.wire.stuck.append(b"unsent")
    await asyncio.wait_for(stream.task, 5)
    assert stream.wire.ended == "severed"
    assert "after token_index 0;" in stream.events[-1]["error"]["message"]


async def test_a_silent_stream_gets_comments_with_one_newline() -> None:
    stream = await begun(Stream(keepalive_s=0.02))
    writes = [await asyncio.wait_for(stream.wire.writes.get(), 5) for _ in range(3)]
    assert writes[1:] == [b": ping\n", b": ping\n"]
    stream.end()
    await stream.task


async def test_the_whole_has_its_deadline_too() -> None:
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(Stream(replace(DRAFT, deadlines=Deadlines(whole_s=-60))).task, 5)


async def test_a_hang_up_ends_it_at_once(stream: Stream) -> None:
    await begun(stream)
    stream.gone.set()
    with pytest.raises(ClientGone):
        await stream.task


async def test_a_reader_that_was_cut_before_the_status_is_refused(stream: Stream) -> None:
    stream.follower.cut(Unavailable("The log was cut."))
    with pytest.raises(Unavailable):
        await stream.task
    assert not stream.status.done()
