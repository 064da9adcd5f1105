import asyncio
from typing import Any

import pytest

from inferno_benchmarks.raw_client import Connection, Refused, Stream, request
from inferno_benchmarks.target import Target

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
EVENT = b'f\r\ndata: {"id":1}\n\n\r\n'


class Transport:
    """What a stream was told to write."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data


def stream(*said: bytes) -> Stream:
    stream = Stream(b"asked", lambda: None)
    transport: Any = Transport()
    stream.connection_made(transport)
    assert transport.written == b"asked"
    for data in said:
        stream.data_received(data)
    return stream


def test_events_are_counted_wherever_they_are_cut() -> None:
    whole = OK + EVENT * 3 + b"data: [DONE]\n\n"
    for cut in range(1, len(whole)):
        counted = stream(whole[:cut], whole[cut:])
        assert (counted.events, counted.over) == (3, True)


def test_a_refusal_is_no_answer() -> None:
    refused = stream(b'HTTP/1.1 429 Too Many Requests\r\n\r\n{"error":{}}')
    assert "429" in refused.error


def test_a_stream_that_is_cut_says_so() -> None:
    cut = stream(OK + EVENT)
    cut.connection_lost(None)
    assert cut.over
    assert cut.error


async def test_a_connection_reads_answer_after_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for status in (b"200 OK", b"200 OK", b"503 Service Unavailable"):
            await reader.readuntil(b"}")
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "key", "", {})
    connection = Connection(target)
    await connection.open()
    asked = request(target, {"x": 1})
    assert await connection.ask(asked) == b"{}"
    assert await connection.ask(asked) == b"{}"
    with pytest.raises(Refused):
        await connection.ask(asked)
    connection.close()
    server.close()
