"""A client that costs next to nothing, since it shares the machine with what it measures: HTTP by hand."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from inferno_benchmarks.target import Target

_OK = b"HTTP/1.1 200"
_EVENT = b"data: {"
_DONE = b"data: [DONE]"
_OVERLAP = len(_DONE) - 1


class Refused(Exception):
    """The platform did not answer as it was to: the first bytes of what it said."""


def request(target: Target, body: dict[str, Any]) -> bytes:
    """Write a chat request."""
    data = json.dumps({"model": target.model, **body}).encode()
    host = urlsplit(target.url).netloc
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {target.api_key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Stream(asyncio.Protocol):
    """One streamed answer. `events` counts its events with words; `changed` is called with the first and at the end."""

    def __init__(self, request: bytes, changed: Callable[[], None]) -> None:
        self.events = 0
        self.over = False
        self.error = ""
        self._request = request
        self._changed = changed
        self._end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count."""
        # An event is never cut but by a busy machine: what lies over a border is found in both halves together.
        seen = self._end + data
        if not self.events and self._begin(seen):
            return
        self.events += seen.count(_EVENT) - self._end.count(_EVENT)
        if _DONE in seen:
            self._finish()
        self._end = seen[-_OVERLAP:]

    def connection_lost(self, exc: Exception | None) -> None:
        """The platform hung up."""
        if not self.over:
            self.error = self.error or "the connection was cut"
            self._finish()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _begin(self, seen: bytes) -> bool:
        """Keep what came before the first event; say whether that is all."""
        self._end = seen
        if _EVENT not in seen and seen.startswith(_OK):
            return True
        self._end = b""
        if not seen.startswith(_OK) or b'"error"' in seen:
            self.error = seen[:400].decode(errors="replace")
        self._changed()
        return False

    def _finish(self) -> None:
        self.over = True
        self._changed()


class Connection:
    """A connection on which whole answers are asked for, one after the other."""

    def __init__(self, target: Target) -> None:
        address = urlsplit(target.url)
        self._host, self._port = address.hostname or "", address.port or 80

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def ask(self, request: bytes) -> bytes:
        """Ask, and give the answer's body. Raises `Refused`."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(size)
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refused(body[:400].decode(errors="replace"))
        return body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
