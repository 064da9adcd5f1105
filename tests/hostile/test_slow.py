"""Clients that take their time, and clients that leave: none may hold what others need."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from tests.hostile import witness
from tests.hostile.conftest import SETTINGS, Target
from tests.hostile.raw import CHAT, Line, head, request

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

HEADERS_S = float(SETTINGS["INFERNO_API__HEADER_TIMEOUT_S"])
SLOW_S = float(SETTINGS["INFERNO_API__SLOW_READER_S"])
SLACK_S = 6.0
"""How much later than its limit something may end: a ticker looks at connections now and then."""

LONG = {
    "model": "synthetic",
    "messages": [{"role": "user", "content": "Go on."}],
    "max_tokens": 2000,
    "ignore_eos": True,
    "stream": True,
}
SHORT = LONG | {"max_tokens": 3}


@pytest.fixture(scope="module", autouse=True)
async def stalled(target: Target) -> AsyncGenerator[Line]:
    """A request whose body stops short, begun before anything else."""
    async with Line.to(target.address) as line:
        await line.send(request(SHORT, key=target.key)[:-5])
        yield line


async def trickle(data: bytes, pause_s: float, beside: asyncio.Event) -> AsyncIterator[bytes]:
    """Give a byte at a time, until somebody says that it is over."""
    for at in range(len(data)):
        yield data[at : at + 1]
        try:
            async with asyncio.timeout(pause_s):
                await beside.wait()
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    "said", [b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n"]
)
async def test_headers_that_stop_coming_are_not_waited_for(target: Target, said: bytes) -> None:
    async with Line.to(target.address) as line:
        started = time.monotonic()
        await line.send(said)
        reply = await line.reply(HEADERS_S + SLACK_S)
        assert time.monotonic() - started >= HEADERS_S * 0.9
    if said:
        assert reply is not None
        assert reply.status == 408
        assert reply.error["code"] == "request_timeout"
    else:
        assert reply is None


@pytest.mark.parametrize("pause_s", [0.02, 0.3])
async def test_headers_that_trickle_have_no_more_time(target: Target, pause_s: float) -> None:
    over = asyncio.Event()
    async with Line.to(target.address) as line:
        slow = head({"host": "x", **{f"x-{number}": "a" for number in range(90)}})
        sending = asyncio.ensure_future(line.send(trickle(slow, pause_s, over)))
        reply = await line.reply(HEADERS_S + SLACK_S)
        over.set()
        await sending
    assert reply is not None
    assert reply.status == 408


async def test_many_slow_clients_hold_up_nobody(target: Target) -> None:
    """Three hundred of them, and one that is in a hurry."""
    before = await witness.state(target.stack)
    over = asyncio.Event()

    async def dawdle() -> None:
        async with Line.to(target.address) as line:
            await line.send(trickle(b"POST /v1/chat/completions HTTP/1.1\r\nhost: " + b"x" * 1000, 0.5, over))

    dawdling = [asyncio.ensure_future(dawdle()) for _ in range(300)]
    async with Line.to(target.address) as line:
        for _ in range(10):
            started = time.monotonic()
            await line.send(request(SHORT | {"stream": False}, key=target.key))
            reply = await line.reply(5)
            assert reply is not None
            assert reply.status == 200
            assert time.monotonic() - started < 3
    over.set()
    await asyncio.wait(dawdling)
    after = await witness.state(target.stack)
    assert after.lives == before.lives


CUTS = {
    "behind nothing": 0,
    "in the request line": 8,
    "in the headers": 60,
    "before the body": -len(json.dumps(LONG)),
    "in the body": -10,
    "behind the request": None,
}


@pytest.mark.parametrize("way", ["farewell", "reset"])
@pytest.mark.parametrize("name", CUTS)
async def test_a_client_that_leaves_while_it_asks(target: Target, name: str, way: str) -> None:
    for stream in (False, True):
        async with Line.to(target.address) as line:
            await line.send(request(LONG | {"stream": stream}, key=target.key)[: CUTS[name]])
            if way == "reset":
                line.reset()
    await witness.until_empty(target.status)


@pytest.mark.parametrize("way", ["farewell", "reset"])
@pytest.mark.parametrize("events", [0, 1, 3, 50])
async def test_a_client_that_leaves_while_it_is_answered(target: Target, events: int, way: str) -> None:
    """Its generation would take many seconds; the engine is free long before."""
    started = time.monotonic()
    async with Line.to(target.address) as line:
        await line.send(request(LONG | {"n": 8}, key=target.key))
        await line.reader.readuntil(b"\r\n\r\n")
        chunks = line.chunks()
        for _ in range(events):
            await anext(chunks)
        if way == "reset":
            line.reset()
    await witness.until_empty(target.status)
    assert time.monotonic() - started < 10


async def test_a_client_that_sent_a_request_ahead_and_leaves_is_missed(target: Target) -> None:
    """The hang-up must reach the request that runs, and not the one behind it alone."""
    for behind in (request(SHORT, key=target.key), request(SHORT, key=target.key)[:-3], b"GET"):
        async with Line.to(target.address) as line:
            await line.send(request(LONG | {"n": 8}, key=target.key) + behind)
            await line.reader.readuntil(b"\r\n\r\n")
            await anext(line.chunks())
        await witness.until_empty(target.status)


async def test_a_crowd_that_leaves_at_once(target: Target) -> None:
    before = await witness.state(target.stack)

    async def leave(number: int) -> None:
        async with Line.to(target.address) as line:
            await line.send(request(LONG | {"stream": bool(number % 2)}, key=target.key))
            if number % 4 > 1:
                await asyncio.wait([asyncio.ensure_future(line.reader.read(100))], timeout=0.1 * (number % 7))
            line.reset()

    await asyncio.gather(*(leave(number) for number in range(200)))
    await witness.until_empty(target.status)
    witness.unharmed(before, await witness.state(target.stack))


async def test_a_client_that_reads_nothing_is_cut_off_and_told_where(target: Target) -> None:
    """Others who read the same kind of answer meanwhile get theirs whole."""
    async with Line.to(target.address) as slow, Line.to(target.address) as quick:
        # What nobody reads first fills what the kernels hold for both ends.
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wordy = LONG | {"n": 32, "logprobs": True, "top_logprobs": 5}
        await slow.send(request(wordy, key=target.key))
        await quick.send(request(LONG | {"max_tokens": 500}, key=target.key))
        reply = await quick.reply(60)
        assert reply is not None
        assert reply.events[-1] == "[DONE]"
        await witness.until_empty(target.status)
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        told = await slow.closed(SLOW_S + SLACK_S)
    assert b"[DONE]" not in told
    error = json.loads(told[told.index(b'{"error"') :].split(b"\n", 1)[0])["error"]
    assert "token_index" in error["message"]


async def test_a_client_that_reads_slowly_but_steadily_gets_all(target: Target) -> None:
    async with Line.to(target.address) as line:
        await line.send(request(LONG | {"max_tokens": 300}, key=target.key))
        await line.reader.readuntil(b"\r\n\r\n")
        said = b""
        while b"[DONE]" not in said:
            said += await asyncio.wait_for(line.reader.read(2000), 10)
            await asyncio.sleep(0.005)
    assert b'"error"' not in said


async def test_a_client_that_reads_ever_slower_than_it_is_told_gets_to_the_reason(target: Target) -> None:
    connection = socket.socket()
    # Or what it does not read would lie in its own kernel, by megabytes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
    connection.connect(target.address)
    reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
    writer.write(request(LONG | {"n": 32, "logprobs": True, "top_logprobs": 5}, key=target.key))
    said = b""
    while part := await asyncio.wait_for(reader.read(4000), 10):
        said += part
        await asyncio.sleep(0.2)
    writer.close()
    last = said.rsplit(b"data: ", 1)[-1]
    assert b"token_index" in last, last[-300:]
    assert b'"error"' in last


async def test_a_client_that_closes_its_half(target: Target) -> None:
    """Whoever says no more counts as gone: nothing runs on for it."""
    async with Line.to(target.address) as line:
        await line.send(request(LONG | {"n": 8}, key=target.key))
        line.writer.write_eof()
        await line.closed(30)
    await witness.until_empty(target.status)


async def test_an_idle_connection_stays_usable(target: Target) -> None:
    async with Line.to(target.address) as line:
        for _ in range(2):
            await line.send(request(SHORT, key=target.key, path=CHAT))
            reply = await line.reply()
            assert reply is not None
            assert reply.status == 200
            await asyncio.sleep(HEADERS_S * 1.2)


async def test_a_body_that_stops_coming_is_given_up(target: Target, stalled: Line) -> None:
    """It was begun before all other tests here; a minute is what it has, and meanwhile nothing runs for it."""
    await witness.until_empty(target.status)
    reply = await stalled.reply(60 + SLACK_S)
    assert reply is not None
    assert reply.status == 408
    assert reply.error["code"] == "request_timeout"
