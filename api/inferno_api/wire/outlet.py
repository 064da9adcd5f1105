"""Where a stream's bytes go behind its status line: to the connection itself, or by ASGI where that is not ours."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope, Send

EXTENSION = "inferno.wire"


class Outlet(Protocol):
    """Takes an answer's bytes without waiting. Who writes has sent the response's start before."""

    @property
    def is_full(self) -> bool:
        """Whether the client lags, so that more should not be written now."""
        ...

    @property
    def unsent_bytes(self) -> int:
        """What was written and not yet taken by the network, in bytes."""
        ...

    def on_room(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the loop whenever it is full no longer."""
        ...

    def write(self, data: bytes) -> None:
        """Send `data` behind what was written before."""
        ...

    async def finish(self, data: bytes) -> None:
        """Send the last bytes of the answer; waits for room."""
        ...

    def sever(self, data: bytes) -> None:
        """Send `data` as the last, and end the connection soon, whether or not the client takes it. Never waits."""
        ...


def of(scope: Scope, send: Send) -> Outlet:
    """Give the outlet of a request."""
    wire: Outlet | None = scope.get("extensions", {}).get(EXTENSION)
    return wire if wire is not None else AsgiOutlet(send)


class AsgiOutlet:
    """An outlet by ASGI's `send`, for servers that are not ours: a task sends what was written."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[bytes] = []
        self._sending: asyncio.Task[None] | None = None
        self._unsent_bytes = 0
        self._callback: Callable[[], None] = lambda: None

    @property
    def is_full(self) -> bool:
        """Whether something is being sent."""
        return self._sending is not None

    @property
    def unsent_bytes(self) -> int:
        """What was written and not yet sent, in bytes."""
        return self._unsent_bytes

    def on_room(self, callback: Callable[[], None]) -> None:
        """Have `callback` called in the loop whenever all is sent."""
        self._callback = callback

    def write(self, data: bytes) -> None:
        """Send `data` behind what was written before."""
        self._waiting.append(data)
        self._unsent_bytes += len(data)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._relay())

    async def finish(self, data: bytes) -> None:
        """Send the last bytes of the answer."""
        if self._sending is not None:
            await self._sending
        await self._end(data)

    def sever(self, data: bytes) -> None:
        """Send `data` instead of what waits, if the client takes anything; the server ends the connection."""
        if self._sending is not None:
            self._sending.cancel()
        self._waiting = []
        self._sending = asyncio.get_running_loop().create_task(self._end(data))

    async def _relay(self) -> None:
        while self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._unsent_bytes -= len(data)
        self._sending = None
        self._callback()

    async def _end(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data})
