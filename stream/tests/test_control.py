"""The stream of commands, on calls that tests hold in their hands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio
from log_platform import Until

from inferno_core import session as wire
from inferno_core.session import Cancel, Commands
from inferno_stream import control as module
from inferno_stream import outbox
from inferno_stream.control import Control
from inferno_stream.tensors import messages


class FakeCall:
    """A stream: `sent` has what was asked. It ends when its requests do, unless something is `told`."""

    def __init__(self, requests: AsyncIterator[bytes]) -> None:
        self.sent: list[Commands] = []
        self.ended = asyncio.Event()
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._reading = asyncio.get_running_loop().create_task(self._read(requests))

    def tell(self, told: object) -> None:
        """Answer with a message, or break with an error."""
        self._told.put_nowait(told)

    def done(self) -> bool:
        return self.ended.is_set()

    def cancel(self) -> None:
        self._reading.cancel()
        self.ended.set()

    async def _read(self, requests: AsyncIterator[bytes]) -> None:
        async for data in requests:
            self.sent.append(wire.decode_commands(data))
        self._told.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (told := await self._told.get()) is not None:
            if isinstance(told, Exception):
                self.ended.set()
                raise told
            yield told
        self.ended.set()


class Line:
    """A control and its calls."""

    def __init__(self) -> None:
        self.calls: list[FakeCall] = []
        self.refused = 0
        self.control = Control("session", self._stream, self._refuse)

    def _stream(self, requests: AsyncIterator[bytes]) -> FakeCall:
        self.calls.append(FakeCall(requests))
        return self.calls[-1]

    def _refuse(self) -> None:
        self.refused += 1


@pytest_asyncio.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    monkeypatch.setattr(module, "_PAUSE_S", 0.01)
    line = Line()
    running = asyncio.create_task(line.control.run())
    yield line
    await line.control.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_nothing_is_sent_before_the_host_knows_the_session(line: Line, until: Until) -> None:
    line.control.say(Cancel((1,)))
    await asyncio.sleep(0)
    assert line.calls == []
    line.control.begin(4)
    line.control.say(Cancel((2,)))
    await until(lambda: line.calls and line.calls[-1].sent)
    assert line.calls[-1].sent == [Commands("session", 5, (Cancel((2,)),))]


async def test_what_is_said_in_one_turn_is_one_batch(line: Line, until: Until) -> None:
    line.control.begin(0)
    for handle in range(3):
        line.control.say(Cancel((handle,)))
    await until(lambda: line.calls and line.calls[-1].sent)
    line.control.say(Cancel((3,)))
    await until(lambda: len(line.calls[-1].sent) == 2)
    assert [batch.commands for batch in line.calls[-1].sent] == [(Cancel((0, 1, 2)),), (Cancel((3,)),)]


@pytest.mark.parametrize(
    "trouble",
    [
        messages.ModelStreamInferResponse(error_message="not ready"),
        grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()),
    ],
    ids=["refused", "broken"],
)
async def test_after_a_break_what_was_not_heard_is_sent_again(line: Line, until: Until, trouble: object) -> None:
    line.control.begin(0)
    for handle in range(2):
        line.control.say(Cancel((handle,)))
        await until(lambda handle=handle: line.calls and len(line.calls[-1].sent) == handle + 1)
    line.control.outbox.heard(1)
    count = len(line.calls)
    line.calls[-1].tell(trouble)
    await until(lambda: len(line.calls) > count and line.calls[-1].sent)
    assert line.calls[-1].sent == [Commands("session", 2, (Cancel((1,)),))]
    assert line.refused == (0 if isinstance(trouble, Exception) else 1)


async def test_a_stream_on_which_nothing_is_heard_is_ended_and_another_begun(line: Line, until: Until) -> None:
    line.control.begin(0)
    line.control.say(Cancel((1,)))
    await until(lambda: line.calls and line.calls[-1].sent)
    first = line.calls[-1]
    for _ in range(7):
        line.control.tick()
    await until(lambda: line.calls[-1] is not first and line.calls[-1].sent)
    assert first.ended.is_set()
    line.control.outbox.heard(1)
    count = len(line.calls)
    for _ in range(20):
        line.control.tick()
    assert len(line.calls) == count


async def test_what_is_said_to_a_host_that_hears_nothing_waits_and_goes_out_when_it_does(
    line: Line, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_MOST_BATCHES", 2)
    line.control.begin(0)
    asked: list[int] = []
    line.control.before_batch = lambda: asked.append(1)
    for handle in range(5):
        line.control.say(Cancel((handle,)))
        await until(lambda: not line.control._is_flushing)
    await until(lambda: line.calls and len(line.calls[-1].sent) == 2)
    # What is to travel with a batch is not asked for where there is none.
    assert len(asked) == 2
    assert line.control.heard(1)
    assert not line.control.heard(1)
    await until(lambda: len(line.calls[-1].sent) == 3)
    assert line.calls[-1].sent[-1].commands == (Cancel((2, 3, 4)),)


async def test_closing_says_what_was_written(line: Line, until: Until) -> None:
    line.control.begin(0)
    await until(lambda: line.calls)
    line.control.say(Cancel((1,)))
    await line.control.close()
    assert line.calls[-1].sent == [Commands("session", 1, (Cancel((1,)),))]
    assert line.calls[-1].ended.is_set()
