"""A client's hang-up ends what runs for it at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import Receive

from inferno_core.errors import DeadlineExceeded


class ClientGone(Exception):
    """The client hung up: there is nobody to answer."""


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
