"""A stream's words on their way to its client: rendered and written as the log is read, without waking any task."""

import asyncio
import time
from collections.abc import Callable, Sequence

from starlette.types import Receive, Scope, Send

from inferno_api import failures
from inferno_api.exchange import Exchange
from inferno_api.responses.streaming import KEEPALIVE, EventStream, error_event
from inferno_api.wire import outlet
from inferno_api.wire.connection import held
from inferno_api.wire.keepalive import Ticker
from inferno_api.wire.outlet import Outlet
from inferno_core.acceptance import Accepted
from inferno_core.errors import InfernoError, Unavailable
from inferno_core.records import Head
from inferno_core.settings import ApiSettings
from inferno_stream.edge import Draft, Follower

FIRST_FRAME_S = 1.0
"""How long the status line waits for the first frame or an error, in seconds."""

_WRITE_S = 60.0
"""How much longer than the generation a client may take, in seconds."""

Headers = list[tuple[bytes, bytes]]

_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class Pump:
    """The sink of one streamed generation. Give it to `submit`, then await `give`.

    `headers` is asked for the answer's own headers when the status line goes out. Words that come before are kept;
    later ones are written at once. What a client doesn't take waits, at most `slow_reader_bytes` of it and one batch
    of the log; then, or after `slow_reader_s` without progress, the client is told its `token_index` and cut off.
    """

    def __init__(
        self, exchange: Exchange, draft: Draft, *, headers: Callable[[], Headers], settings: ApiSettings, ticker: Ticker
    ) -> None:
        self._exchange = exchange
        self._draft = draft
        self._headers = headers
        self._settings = settings
        self._ticker = ticker
        self._early: list[Accepted] = []
        self._outlet: Outlet | None = None
        self._events: EventStream | None = None
        self._backlog: list[bytes] = []
        self._backlog_bytes = 0
        self._backlog_index = -1
        self._error: InfernoError | None = None
        self._news = asyncio.Event()
        self._id = ""
        self._token_index = -1
        self._written_bytes = 0
        self._taken_bytes = 0
        self._moved = self._spoken = 0.0

    # The sink, called as the log is read.

    def began(self, head: Head) -> None:
        """A worker speaks."""
        self._exchange.began(head)

    def heard(self, frames: Sequence[Accepted]) -> None:
        """Write words to the client, or keep them until it has the status line."""
        if self._error is not None:
            return
        self._exchange.heard(frames)
        if self._outlet is None:
            self._early.extend(frames)
            self._news.set()
            return
        self._say(frames)
        if self._exchange.final is not None:
            self._news.set()

    def cut(self, error: InfernoError) -> None:
        """There will be nothing more."""
        self._error = error
        self._backlog.clear()
        self._backlog_bytes = 0
        self._news.set()

    # The task that answers the request.

    async def give(self, follower: Follower, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the generation.

        Raises:
            InfernoError: it failed before the status was sent. Later failures are told inside the stream.
            ClientGone: the client hung up.

        """
        self._id = follower.id
        try:
            async with held(receive, self._draft.deadlines.whole_s + _WRITE_S):
                await self._begin(scope, send)
                await self._finish()
        except InfernoError as error:
            self._exchange.outcome = self._exchange.code = error.code
            if self._outlet is None:
                raise
            await self._tell(self._outlet, error)
        finally:
            self._ticker.discard(self)

    async def _begin(self, scope: Scope, send: Send) -> None:
        """Send the status line, with the first words or after a second without any."""
        timer = asyncio.get_running_loop().call_later(FIRST_FRAME_S, self._news.set)
        await self._news.wait()
        timer.cancel()
        self._raise_early()
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS + self._headers()})
        self._outlet = outlet.of(scope, send)
        self._outlet.on_room(self._on_room)
        early, self._early = self._early, []
        self._say(early)
        self._moved = self._spoken = time.perf_counter()
        self._ticker.add(self)

    def _raise_early(self) -> None:
        if self._error is not None:
            raise self._error
        if self._exchange.final is not None and self._exchange.first is None:
            failures.raise_if_failed(self._exchange.final)

    async def _finish(self) -> None:
        while self._error is None and (self._exchange.final is None or self._backlog):
            self._news.clear()
            await self._news.wait()
        if self._error is not None:
            raise self._error
        assert self._exchange.final is not None
        failures.raise_if_failed(self._exchange.final)
        assert self._outlet is not None
        await self._outlet.finish(self._stream().end(self._exchange.final))

    async def _tell(self, outlet: Outlet, error: InfernoError) -> None:
        """Tell of an error inside the stream, which ends with it."""
        if outlet.is_full:
            outlet.sever(error_event(error))
        else:
            await outlet.finish(error_event(error))

    # What both do.

    def _say(self, frames: Sequence[Accepted]) -> None:
        outlet = self._outlet
        assert outlet is not None
        data = self._stream().render(frames) if frames else b""
        if not data:
            return
        index = max([index for _, index in frames])
        if self._backlog or outlet.is_full:
            self._keep(data, index, outlet)
        else:
            self._write(data, index, outlet)

    def _write(self, data: bytes, token_index: int, outlet: Outlet) -> None:
        outlet.write(data)
        self._written_bytes += len(data)
        self._token_index = max(self._token_index, token_index)

    def _keep(self, data: bytes, token_index: int, outlet: Outlet) -> None:
        if self._backlog_bytes + outlet.unsent_bytes > self._settings.slow_reader_bytes:
            raise self._too_slow()
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        self._backlog_index = max(self._backlog_index, token_index)

    def _on_room(self) -> None:
        if self._backlog and self._outlet is not None:
            data, self._backlog = b"".join(self._backlog), []
            self._backlog_bytes = 0
            self._write(data, self._backlog_index, self._outlet)
        self._news.set()

    def tick(self, now: float) -> None:
        """Send a comment where nothing was said for long, and give up a client that takes nothing."""
        assert self._outlet is not None
        self._spoken = max(self._spoken, self._exchange.last or 0.0)
        taken = self._written_bytes - self._outlet.unsent_bytes
        if taken != self._taken_bytes or not self._outlet.unsent_bytes:
            self._taken_bytes, self._moved = taken, now
        if now - self._moved > self._settings.slow_reader_s:
            self.cut(self._too_slow())
        elif now - self._spoken >= self._settings.keepalive_s and not self._outlet.is_full:
            self._spoken = now
            self._outlet.write(KEEPALIVE)

    def _too_slow(self) -> Unavailable:
        return Unavailable(
            f"This reader fell too far behind and was cut off after token_index {self._token_index}; read faster, or "
            f"ask for the whole answer at once."
        )

    def _stream(self) -> EventStream:
        """Give the renderer, which is made with the first words: only then the log has said when it began."""
        if self._events is None:
            head, draft = self._exchange.head, self._draft
            self._events = EventStream(
                draft.surface,
                id=self._id,
                created=head.created if head is not None else int(time.time()),
                model=draft.model,
                fingerprint=head.fingerprint if head is not None else "",
                include_usage=draft.include_usage,
            )
        return self._events
