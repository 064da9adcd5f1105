"""One reader of one generation: what was accepted, in order, each once, in a buffer that has a bound."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from inferno_core.acceptance import Acceptance, Accepted
from inferno_core.errors import InfernoError, Unavailable
from inferno_core.records import Head, ReplyRecord

logger = logging.getLogger(__name__)

MAX_BUFFERED_FRAMES = 4096
MAX_BUFFERED_BYTES = 4 << 20
"""What may wait for a slow reader. One that lags further is cut, since memory is everybody's."""


class Sink(Protocol):
    """Hears one generation as it is read, in the event loop: once for all that a batch of the log has for it.

    It must not wait, and what it raises cuts its reader alone.
    """

    def began(self, head: Head) -> None:
        """A worker speaks: the first one, or one that took over."""
        ...

    def heard(self, frames: Sequence[Accepted]) -> None:
        """What was accepted, in order, each once."""
        ...

    def cut(self, error: InfernoError) -> None:
        """There will be nothing more."""
        ...


class Follower:
    """A reader's view of the generation `id`, fed with its records in the order of their partition.

    `head` is None until a worker speaks. One task may call `next` at a time; where there is a `sink`, all goes there
    instead, and there is nothing to wait for.
    """

    def __init__(self, id: str, reader: str, leave: "Callable[[Follower], None]", sink: Sink | None = None) -> None:
        self.id = id
        self.reader = reader
        self.head: Head | None = None
        self._leave = leave
        self._sink = sink
        self._acceptance = Acceptance()
        self._buffer: list[Accepted] = []
        self._buffered_bytes = 0
        self._error: InfernoError | None = None
        self._told = -1
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    @property
    def ended(self) -> bool:
        """Whether the generation's final frame was seen."""
        return self._acceptance.final is not None

    async def next(self, timeout_s: float) -> Sequence[Accepted]:
        """Give what came since the last call, in order; nothing if nothing comes within `timeout_s`.

        Raises:
            StopAsyncIteration: after the generation's final frame was given.
            InfernoError: if this reader was cut off.

        """
        if not self._buffer and self._error is None and not self.ended:
            await self._wait(timeout_s)
        if self._error is not None:
            raise self._error
        if not self._buffer and self.ended:
            raise StopAsyncIteration
        taken, self._buffer, self._buffered_bytes = self._buffer, [], 0
        self._told = max([self._told, *(accepted.token_index for accepted in taken)])
        return taken

    async def aclose(self) -> None:
        """Leave. Where no final frame was seen, the log is told that nobody listens here any more. Idempotent."""
        self._close()

    def feed(self, record: ReplyRecord) -> None:
        """Take the generation's next record of its reply partition; `flush` follows behind the last one of a batch."""
        if self._error is not None:
            return
        accepted = self._acceptance.read(record)
        if accepted is not None:
            self._keep(accepted)
        elif isinstance(record, Head) and record.epoch == self._acceptance.epoch:
            self.head = record
            if self._sink is not None:
                self._sink.began(record)

    def flush(self) -> None:
        """Give on what was fed."""
        if not self._buffer:
            return
        if self._sink is None:
            self._wake()
        else:
            taken, self._buffer = self._buffer, []
            try:
                self._sink.heard(taken)
            except InfernoError as error:
                self.cut(error)
            except Exception:
                # One reader's trouble must not be that of all whose words came in the same batch.
                logger.exception("a reader's sink failed", extra={"facts": {"id": self.id}})
                self.cut(InfernoError("Something went wrong on our side. Ask again."))

    def cut(self, error: InfernoError) -> None:
        """Give this reader nothing more than `error`.

        It has left by that, since its task may be stuck in sending to a client that takes nothing.
        """
        self._error = error
        self._buffer.clear()
        self._wake()
        self._close()
        if self._sink is not None:
            self._sink.cut(error)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._leave(self)

    def _keep(self, accepted: Accepted) -> None:
        if self._sink is not None:
            self._buffer.append(accepted)
            return
        self._buffered_bytes += len(accepted.frame.delta)
        if len(self._buffer) >= MAX_BUFFERED_FRAMES or self._buffered_bytes > MAX_BUFFERED_BYTES:
            self.cut(_too_slow(self._told))
            return
        self._buffer.append(accepted)

    async def _wait(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout_s, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _too_slow(token_index: int) -> Unavailable:
    return Unavailable(
        f"This reader fell too far behind and was cut off after token_index {token_index}; read faster, or ask for "
        f"the whole answer at once."
    )
