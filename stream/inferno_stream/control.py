"""The way of a session's commands to its host: a stream that lives long, and is opened anew where it breaks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import grpc.aio

from inferno_core.session import Command
from inferno_stream import background
from inferno_stream.outbox import Outbox

logger = logging.getLogger(__name__)

_PAUSE_S = 0.5
_STALLED_TICKS = 6
_END_S = 2.0

Stream = Callable[[AsyncIterator[bytes]], Any]
"""Opens a stream of requests, each of which holds such bytes, and gives the call."""


class _Requests:
    """The requests of one stream: the batches that were not heard, and those to come, until it is ended."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._wake = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """There may be another batch."""
        self._wake.set()

    def end(self) -> None:
        """Send nothing more."""
        self._ended = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sent = 0
        while True:
            self._wake.clear()
            for batch in self._outbox.after(sent):
                sent = batch.number
                yield batch.data
            if self._ended:
                return
            await self._wake.wait()


class Control:
    """Sends commands, those of one turn of the loop in one batch; `on_refused` is called when the host takes none.

    A batch that the host does not say it has heard is sent again, on another stream. While too much is unheard, what
    is said waits.
    """

    def __init__(self, session: str, stream: Stream, on_refused: Callable[[], None]) -> None:
        self.outbox = Outbox(session)
        self._stream = stream
        self._on_refused = on_refused
        self._open = asyncio.Event()
        self._requests = _Requests(self.outbox)
        self._closing = False
        self._ended = asyncio.Event()
        self._is_flushing = False
        self._oldest = self._stalled = 0
        self.before_batch: Callable[[], None] = lambda: None
        """Called before a batch is made, for what else is to travel with it."""

    def begin(self, heard: int) -> None:
        """The host knows the session, and has heard `heard` batches of it; what was to be said before is dropped."""
        self.outbox.begin(heard)
        self._requests.end()
        self._open.set()

    def say(self, command: Command) -> None:
        """Send a command, with what else is said in this turn of the loop."""
        self.outbox.write(command)
        self.flush_soon()

    def flush_soon(self) -> None:
        """Send what is there at the end of this turn of the loop."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def heard(self, number: int) -> bool:
        """The host has heard all batches up to `number`; say whether that was news. What waited for it is sent."""
        waited = self.outbox.is_full
        news = self.outbox.heard(number)
        if news and waited:
            self.flush_soon()
        return news

    def _flush(self) -> None:
        self._is_flushing = False
        if self.outbox.is_full:
            return
        self.before_batch()
        self.outbox.seal()
        self._requests.wake()

    def tick(self) -> None:
        """To be called twice a second: a stream on which nothing is heard any more is given up."""
        oldest = self.outbox.oldest
        self._stalled = self._stalled + 1 if oldest and oldest == self._oldest else 0
        self._oldest = oldest
        if self._stalled >= _STALLED_TICKS:
            self._stalled = 0
            self._requests.end()

    async def run(self) -> None:
        """Send, until closed."""
        await self._open.wait()
        while not self._closing and not background.is_cancelled():
            requests = self._requests = _Requests(self.outbox)
            if not await self._send(requests) and not self._closing:
                await asyncio.sleep(_PAUSE_S)
        self._ended.set()

    async def close(self) -> None:
        """Say what was written, and no more."""
        self._flush()
        self._closing = True
        self._open.set()
        self._requests.end()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _END_S)

    async def _send(self, requests: _Requests) -> bool:
        """Use one stream, and say whether it held until it was ended here.

        It is always read to its end: to cut it could leave the model in Triton's hands for ever.
        """
        call = self._stream(aiter(requests))
        taken = True
        try:
            async for response in call:
                if response.error_message:
                    taken = False
                    self._on_refused()
                    requests.end()
        except grpc.aio.AioRpcError as error:
            logger.debug("a stream of commands broke: %s", error.code().name)
            return False
        finally:
            requests.end()
            if not call.done():
                call.cancel()
        return taken
