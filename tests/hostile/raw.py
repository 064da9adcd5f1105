"""HTTP as bytes: a connection that sends what no client library would, and reads what comes back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from typing import Any, NamedTuple, Self

PATIENCE_S = 20.0
CHAT = "/v1/chat/completions"


class Reply(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error that the body tells of, which has to have OpenAI's shape."""
        assert self.headers["content-type"] == "application/json", self
        whole = json.loads(self.body)
        assert list(whole) == ["error"], self
        error: dict[str, Any] = whole["error"]
        assert error.keys() == {"message", "type", "param", "code"}, self
        assert isinstance(error["message"], str), self
        assert error["message"], self
        return error

    @property
    def events(self) -> list[str]:
        """The data of a stream's events."""
        lines = self.body.decode().splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


class Line:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, address: tuple[str, int]) -> AsyncGenerator[Self]:
        """Connect; hang up behind the block."""
        reader, writer = await asyncio.open_connection(*address, limit=1 << 24)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), PATIENCE_S)

    async def send(self, data: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> None:
        """Send, until all is sent or nobody takes it any more."""
        with contextlib.suppress(ConnectionError):
            if isinstance(data, AsyncIterable):
                async for piece in data:
                    await self._write(piece)
            else:
                for piece in (data,) if isinstance(data, bytes) else data:
                    await self._write(piece)

    async def _write(self, piece: bytes) -> None:
        self.writer.write(piece)
        await self.writer.drain()

    async def ask(self, data: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> Reply | None:
        """Send, and read the answer, which may come before all is sent: then no more is."""
        sending = asyncio.ensure_future(self.send(data))
        try:
            return await self.reply()
        finally:
            sending.cancel()
            await asyncio.wait([sending])

    def reset(self) -> None:
        """Hang up without a farewell."""
        self.writer.transport.abort()

    async def reply(self, within_s: float = PATIENCE_S, *, to_head: bool = False) -> Reply | None:
        """Read an answer; None: the connection was closed without one. Fails if neither comes in time."""
        try:
            async with asyncio.timeout(within_s):
                return await self._reply(to_head)
        except TimeoutError:
            raise AssertionError(f"neither an answer nor an end within {within_s} s") from None

    async def _reply(self, to_head: bool) -> Reply | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            partial = error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
            assert not partial, f"half an answer: {partial!r}"
            return None
        status, headers = _head(head)
        if status == 100:
            return Reply(status, headers, b"")
        body = b"" if to_head else await self._body(headers)
        return Reply(status, headers, body)

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join([chunk async for chunk in self.chunks()])
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Read a body's chunks to their end."""
        while True:
            size = int(await self.reader.readline(), 16)
            data = (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return
            yield data

    async def closed(self, within_s: float = PATIENCE_S) -> bytes:
        """Read until the other side hangs up; give what came."""
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(within_s):
                while part := await self.reader.read(1 << 16):
                    parts.append(part)
        except ConnectionError:
            pass
        except TimeoutError:
            raise AssertionError(f"the connection is open after {within_s} s") from None
        return b"".join(parts)


class Caller:
    """Asks one request after the other on a connection, and connects again where that was closed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._stack = contextlib.AsyncExitStack()
        self._line: Line | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, data: bytes) -> Reply:
        """Ask; there has to be an answer."""
        if self._line is None:
            self._line = await self._stack.enter_async_context(Line.to(self._address))
        reply = await self._line.ask(data)
        assert reply is not None, f"closed without an answer to {data[:200]!r}"
        if reply.headers.get("connection") == "close":
            self._line = None
            await self._stack.aclose()
        return reply


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = data.decode("latin-1").split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version in {"HTTP/1.1", "HTTP/1.0"}, first
    pairs = [line.split(": ", 1) for line in lines if line]
    return int(status), {name.lower(): value for name, value in pairs}


def request(
    body: object,
    *,
    key: str,
    path: str = CHAT,
    method: str = "POST",
    version: str = "1.1",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Write a request as a decent client does; `body` is bytes, or what is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"host": "inferno", "authorization": f"Bearer {key}", "content-type": "application/json"}
    sent |= {"content-length": str(len(data))} | dict(headers or {})
    return head(sent, path=path, method=method, version=version) + data


def head(headers: Mapping[str, str], *, path: str = CHAT, method: str = "POST", version: str = "1.1") -> bytes:
    """Write a request line and headers."""
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
