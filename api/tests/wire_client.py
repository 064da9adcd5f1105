"""A server of one ASGI application on `Wire`, in a thread with the loop of production, and a client of raw bytes."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvloop
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from inferno_api.wire import protocol
from inferno_core.errors import InfernoError
from inferno_core.settings import ApiSettings

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Connections(set[Any]):
    """Connections, and whether they are all gone."""

    def __init__(self) -> None:
        super().__init__()
        self.none = threading.Event()

    def add(self, connection: Any) -> None:
        self.none.clear()
        super().add(connection)

    def discard(self, connection: Any) -> None:
        super().discard(connection)
        if not self:
            self.none.set()


class Server:
    """What a test sees of the server: its port, what it refused, whether it holds connections."""

    def __init__(self, app: ASGIApp, **settings: Any) -> None:
        self.refused: list[InfernoError] = []
        self.state = ServerState()
        self.connections = self.state.connections = Connections()
        self._config = Config(app, log_config=None, proxy_headers=False, lifespan="off")
        self._config.load()
        self._make = protocol.factory(ApiSettings(**settings), self.refused.append)
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self) -> "Server":
        self._thread.start()
        self._listening = self.call(self._listen)
        self.port: int = self._listening.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self._close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def call(self, work: Callable[[], Any]) -> Any:
        """Run a coroutine function there."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(10)

    def client(self) -> "Client":
        """Connect to it."""
        return Client(self.port)

    async def _listen(self) -> asyncio.Server:
        return await self.loop.create_server(self._connection, "127.0.0.1", 0)

    def _connection(self) -> asyncio.Protocol:
        return self._make(config=self._config, server_state=self.state, app_state={}, _loop=self.loop)

    async def _close(self) -> None:
        self._listening.close()
        for connection in list(self.connections):
            connection._transport.abort()
        for task in list(self.state.tasks):
            task.cancel()
        await asyncio.sleep(0)


class Client:
    """A connection that says exactly what it is told to."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._read = b""

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def flood(self, data: bytes, times: int) -> None:
        """Say `data` again and again, for as long as somebody listens."""
        with contextlib.suppress(ConnectionError):
            for _ in range(times):
                self.socket.sendall(data)

    def until(self, mark: bytes) -> bytes:
        """Read up to and with `mark`."""
        while mark not in self._read:
            data = self.socket.recv(1 << 16)
            assert data, f"the server hung up after {self._read[-200:]!r}"
            self._read += data
        end = self._read.index(mark) + len(mark)
        said, self._read = self._read[:end], self._read[end:]
        return said

    def rest(self) -> bytes:
        """Read until the server hangs up."""
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(1 << 16):
                self._read += data
        said, self._read = self._read, b""
        return said

    def close(self) -> None:
        self.socket.close()


def answer(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Take an answer apart: status, headers, body as it was framed."""
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body


def error(data: bytes) -> dict[str, Any]:
    """Give the error of an answer in OpenAI's shape; it says that the connection ends, and names the request."""
    status, headers, body = answer(data)
    assert status >= 400
    assert headers["connection"] == "close"
    assert headers["x-request-id"].startswith("req_")
    assert headers["content-type"] == "application/json"
    said: dict[str, Any] = json.loads(body)["error"]
    assert set(said) == {"message", "type", "param", "code"}
    return {"status": status, **said}


@contextlib.contextmanager
def client_of(server: Server) -> Iterator[Client]:
    """Connect, and hang up at the end."""
    client = server.client()
    try:
        yield client
    finally:
        client.close()
