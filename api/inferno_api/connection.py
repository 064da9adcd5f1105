"""A client's connection: its body is read up to a bound, and its hang-up ends what runs for it at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from starlette.types import Message, Receive, Scope

from inferno_core.errors import DeadlineExceeded, InvalidRequest, TooLarge

BODY_TIMEOUT_S = 60.0
_DISCARDED_BYTES = 32 << 20
_DISCARD_S = 10.0


class ClientGone(Exception):
    """The client hung up: there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """Read a request's body.

    Raises:
        TooLarge: it has more than `most_bytes`, by its own word or in fact.
        InvalidRequest: it did not arrive within a minute.
        ClientGone: it was not sent to its end.

    """
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _collect(receive, most_bytes)
    except TimeoutError as error:
        raise InvalidRequest(f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s. Send it faster.") from error


async def _collect(receive: Receive, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise _too_large(most_bytes)
        if not message.get("more_body", False):
            return b"".join(parts)


class Inbox:
    """A connection's `receive` that knows whether the whole request has come in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_read = False

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self._receive()
        self._is_read = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Read what is left of the request, within a bound.

        A refusal that is sent while the client still writes would be lost with the connection: the kernel resets one
        that is closed over unread bytes.
        """
        left = _DISCARDED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while not self._is_read and left > 0:
                    left -= len((await self()).get("body", b""))


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {most_bytes} bytes that are read. Send less.")


@asynccontextmanager
async def held(receive: Receive, most_s: float) -> AsyncGenerator[None]:
    """Run the block for as long as the client stays, at most `most_s` seconds; the body has been read before.

    The block is cancelled where it waits. Then this raises `ClientGone` or `DeadlineExceeded`.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(most_s)
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        limit.reschedule(loop.time())

    watcher: asyncio.Task[None] | None = None
    try:
        async with limit:
            watcher = loop.create_task(watch())
            yield
    except TimeoutError as error:
        if gone:
            raise ClientGone from error
        if limit.expired():
            raise DeadlineExceeded(f"The answer took longer than {most_s:.0f} s. Ask for less at once.") from error
        raise
    finally:
        if watcher is not None:
            watcher.cancel()
