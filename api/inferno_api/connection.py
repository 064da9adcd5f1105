"""A client's connection: its body is read up to a bound, and its hang-up ends what runs for it at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import Receive, Scope

from inferno_core.errors import DeadlineExceeded, InvalidRequest, TooLarge

BODY_TIMEOUT_S = 60.0


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
