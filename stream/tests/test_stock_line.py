"""The stock backend over real gRPC: a stream for each generation."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from fake_triton import FakeTriton, said
from listener import Listener
from log_platform import MakeDraft, Until
from msgspec import structs

from inferno_core.errors import EngineFailed, InvalidRequest
from inferno_core.records import Outcome, Request, Usage
from inferno_stream import stock_line as module
from inferno_stream.engine import HostLost, Order, Place
from inferno_stream.stock_line import StockFlight, StockLine
from inferno_stream.triton import Triton

PLACE = Place("host", "1", "print", "model", "1", goes_on=False)
NEVER = asyncio.Event()


@pytest.fixture
def asked(draft: MakeDraft) -> Request:
    body = json.dumps({"prompt": "The capital is", "max_tokens": 4}).encode()
    return structs.replace(draft().request("id", "reader", 0), surface="completion", body=body)


Connect = Callable[[FakeTriton], StockLine]


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def make(triton: FakeTriton, slots: int = 2) -> StockLine:
            connection = Triton(triton.address, 5.0)
            line = StockLine(connection, "1", "1", slots)
            stack.push_async_callback(connection.close)
            stack.push_async_callback(line.close)
            return line

        yield make


def begin(line: StockLine, request: Request) -> tuple[StockFlight, Listener]:
    listener = Listener()
    line.hold(1)
    return line.start(Order(request, "queue/0", 1), PLACE, listener), listener


async def test_text_becomes_frames(asked: Request, connect: Connect, until: Until) -> None:
    async with FakeTriton([said("Par"), said("is", "stop")]) as triton:
        line = connect(triton)
        _, listener = begin(line, asked)
        await until(lambda: listener.final)
        await until(lambda: line.running == 0)
    assert [json.loads(frame.delta)["text"] for frame in listener.frames] == ["Par", "is"]
    assert listener.final is not None
    assert (listener.final.outcome, listener.final.usage) == (Outcome.FINISHED, Usage(3, 4))


async def test_triton_is_told_the_trace(asked: Request, connect: Connect, until: Until) -> None:
    async with FakeTriton([said("Par", "stop")]) as triton:
        line = connect(triton)
        for traceparent in ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""):
            listener = Listener()
            line.hold(1)
            line.start(Order(asked, "queue/0", 1, trace=traceparent), PLACE, listener)
            await until(lambda listener=listener: listener.final)
            assert triton.traces.pop() == traceparent


@pytest.mark.parametrize("leave", [StockFlight.cancel, StockFlight.release], ids=["cancel", "release"])
async def test_leaving_cuts_the_stream(
    asked: Request, connect: Connect, until: Until, leave: Callable[[StockFlight], None]
) -> None:
    async with FakeTriton([said("Par"), asyncio.Event(), said("is")]) as triton:
        line = connect(triton)
        flight, listener = begin(line, asked)
        await until(lambda: listener.frames)
        leave(flight)
        async with asyncio.timeout(5):
            await triton.cancelled.wait()
        await until(lambda: line.free == 2)
    assert listener.errors == []


async def test_a_host_that_dies_loses_its_runs_and_is_not_offered_for_a_while(
    asked: Request, connect: Connect, until: Until
) -> None:
    async with FakeTriton([said("Par"), asyncio.Event(), said("is")]) as triton:
        line = connect(triton)
        _, listener = begin(line, asked)
        await until(lambda: listener.frames)
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    await until(lambda: line.running == 0)
    assert line.free == 0


async def test_an_engine_that_is_known_to_be_gone_loses_its_runs(
    asked: Request, connect: Connect, until: Until
) -> None:
    async with FakeTriton([said("Par"), asyncio.Event(), said("is")]) as triton:
        line = connect(triton)
        _, listener = begin(line, asked)
        await until(lambda: listener.frames)
        line.lose("It is gone.")
        await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    assert listener.errors[0].message == "It is gone."


async def test_tritons_own_words_are_not_shown(asked: Request, connect: Connect, until: Until) -> None:
    async with FakeTriton([{"refused": "/secret/path is broken"}]) as triton:
        _, listener = begin(connect(triton), asked)
        await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], EngineFailed)
    assert "secret" not in listener.errors[0].message


async def test_words_that_break_off_are_a_failure(asked: Request, connect: Connect, until: Until) -> None:
    async with FakeTriton([said("Par")], final=False) as triton:
        _, listener = begin(connect(triton), asked)
        await until(lambda: listener.errors)
    assert "broke off" in listener.errors[0].message


async def test_what_it_can_not_do_is_refused(draft: MakeDraft, connect: Connect, until: Until) -> None:
    async with FakeTriton([said("Par")]) as triton:
        _, listener = begin(connect(triton), draft().request("id", "reader", 0))
        await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], InvalidRequest)
    assert triton.asked == []


async def test_it_reads_no_further_than_the_log_may_lag(
    asked: Request, connect: Connect, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_WINDOW_FRAMES", 2)
    async with FakeTriton([said(str(number)) for number in range(5)]) as triton:
        flight, listener = begin(connect(triton), asked)
        await until(lambda: flight.blocked)
        assert len(listener.frames) == 2
        listener.receipts.pop(0).settle()
        await until(lambda: len(listener.frames) == 3)
        assert flight.blocked
        while not listener.final:
            listener.settle()
            await asyncio.sleep(0)


async def test_nothing_is_adopted_here(connect: Connect) -> None:
    async with FakeTriton([]) as triton:
        line = connect(triton)
        line.fence("queue/0", 1)
        assert not line.has_fenced("queue/0")
        assert line.runs("1") is False
