"""One request on a connection and its answer: ASGI's `receive` and `send`, and the `Outlet` of a stream."""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Literal

from starlette.types import Message, Scope

_READ_AHEAD_BYTES = 64 << 10
"""How much of a body may wait to be asked for, in bytes; then the connection is read no further."""

_STATUS_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}

Framing = Literal["none", "length", "chunked", "until_close"]


class Turn:
    """A request that is being answered. It ends when the answer is complete, or the client is gone.

    `on_answered` is called once, with the answer's last byte. `is_read` says whether the whole request came in,
    `keeps_alive` whether another one may follow on the connection, `is_severed` whether the client was given up.
    """

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        *,
        defaults: list[tuple[bytes, bytes]],
        keeps_alive: bool,
        expects_continue: bool,
        on_answered: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.keeps_alive = keeps_alive
        self.is_begun = self.is_answered = self.is_severed = self.is_gone = self.is_read = self.is_full = False
        self._transport = transport
        self._defaults = defaults
        self._expects_continue = expects_continue
        self._on_answered = on_answered
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._on_room: Callable[[], None] = _nothing
        self._framing: Framing = "none"
        self._left_bytes = 0

    # What the connection tells.

    def body(self, data: bytes) -> None:
        """A part of the body came in."""
        self._parts.append(data)
        self._parts_bytes += len(data)
        if self._parts_bytes > _READ_AHEAD_BYTES:
            self._transport.pause_reading()
        self._arrived.set()

    def read(self) -> None:
        """The request came in to its end."""
        self.is_read = True
        self._arrived.set()

    def lose(self) -> None:
        """The client is gone, or is to be: nothing more is sent."""
        self.is_gone = True
        self._arrived.set()
        self.resume()

    def pause(self) -> None:
        """The client lags."""
        self.is_full = True
        self._room.clear()

    def resume(self) -> None:
        """There is room again."""
        self.is_full = False
        self._room.set()
        self._on_room()

    # ASGI.

    async def receive(self) -> Message:
        """Give what came of the body; behind its end, wait for the client to go."""
        if self._expects_continue and not self.is_begun and not self._parts and not self.is_gone:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects_continue = False
        if not self.is_gone and not self.is_answered:
            self._transport.resume_reading()
            await self._arrived.wait()
            self._arrived.clear()
        if self.is_gone or self.is_answered:
            return {"type": "http.disconnect"}
        body, self._parts, self._parts_bytes = b"".join(self._parts), [], 0
        return {"type": "http.request", "body": body, "more_body": not self.is_read}

    async def send(self, message: Message) -> None:
        """Write the answer's start, or a part of its body; waits while the client lags."""
        if self.is_full:
            await self._room.wait()
        if self.is_gone:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:
            self._body(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        if self.is_begun:
            raise RuntimeError("The answer has begun before.")
        self.is_begun = True
        named = [*self._defaults, *headers]
        length = next((value for name, value in named if name == b"content-length"), None)
        self._framing = self._frame(status, length)
        if self._framing == "chunked":
            named.append((b"transfer-encoding", b"chunked"))
        if not self.is_read or self._framing == "until_close" or (b"connection", b"close") in named:
            self.keeps_alive = False
        if not self.keeps_alive and (b"connection", b"close") not in named:
            named.append((b"connection", b"close"))
        self._transport.write(head(status, named))

    def _frame(self, status: int, length: bytes | None) -> Framing:
        if self.scope["method"] == "HEAD" or status in {204, 304}:
            return "none"
        if length is not None:
            self._left_bytes = int(length)
            return "length"
        return "until_close" if self.scope["http_version"] == "1.0" else "chunked"

    def _body(self, data: bytes, *, more: bool) -> None:
        if not self.is_begun or self.is_answered:
            raise RuntimeError("A body belongs between its answer's start and its end.")
        if data:
            self.write(data)
        if not more:
            self._end()

    def _end(self) -> None:
        if self._left_bytes:
            raise RuntimeError(f"The answer lacks {self._left_bytes} bytes of its content-length.")
        if self._framing == "chunked":
            self._transport.write(b"0\r\n\r\n")
        self.is_answered = True
        self._arrived.set()
        self._on_answered()

    # The outlet of a stream.

    @property
    def unsent_bytes(self) -> int:
        """What was written and not yet taken by the network, in bytes."""
        return self._transport.get_write_buffer_size()

    def on_room(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the loop whenever it is full no longer."""
        self._on_room = callback

    def write(self, data: bytes) -> None:
        """Send `data` behind what was written before."""
        if self.is_gone or self.is_answered:
            return
        if self._framing == "chunked":
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif self._framing == "until_close":
            self._transport.write(data)
        elif self._framing == "length":
            if len(data) > self._left_bytes:
                raise RuntimeError("The answer is longer than its content-length.")
            self._left_bytes -= len(data)
            self._transport.write(data)

    async def finish(self, data: bytes) -> None:
        """Send the last bytes of the answer; waits for room."""
        await self.send({"type": "http.response.body", "body": data})

    def sever(self, data: bytes) -> None:
        """Send `data` as the last, and end the connection soon, whether or not the client takes it."""
        if not self.is_gone:
            self.keeps_alive, self.is_severed = False, True
            self.write(data)
            self._end()


def head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write a status line and headers. Raises `RuntimeError` for one that would end its line."""
    lines = [b"%b: %b" % header for header in headers]
    block = b"\r\n".join(lines)
    if block.count(b"\n") != len(lines) - 1 or block.count(b"\r") != len(lines) - 1:
        raise RuntimeError("A header has a line break.")
    return b"%b%b\r\n\r\n" % (_STATUS_LINES[status], block)


def _nothing(*_: Any) -> None:
    """Nobody wants to know."""
