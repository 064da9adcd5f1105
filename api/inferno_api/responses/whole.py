"""The answer as one JSON object, folded as the log is read: nothing waits for a slow client, so none is ever cut."""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec
from starlette.types import Receive, Scope, Send

from inferno_api import failures, headers
from inferno_api.exchange import Exchange
from inferno_api.responses.folding import Cover, Folding
from inferno_api.wire.connection import held
from inferno_core.acceptance import Accepted
from inferno_core.errors import EngineFailed, InfernoError, InvalidRequest
from inferno_core.records import Head
from inferno_stream.edge import Draft, Follower

MAX_ANSWER_BYTES = 64 << 20
"""What the pieces of one answer may come to, since they are all kept until the last one is there."""

_WRITE_S = 60.0
"""How long a client may take to read its answer, in seconds, besides the time that the answer took."""

_log = logging.getLogger(__name__)


class Whole:
    """The sink of one generation that is answered at once. Give it to `submit`, then await `give`."""

    def __init__(self, exchange: Exchange, draft: Draft, folding: Folding) -> None:
        self._exchange = exchange
        self._draft = draft
        self._folding = folding
        self._size_bytes = 0
        self._over = asyncio.Event()
        self._error: InfernoError | None = None

    def began(self, head: Head) -> None:
        """A worker speaks."""
        self._exchange.began(head)

    def heard(self, frames: Sequence[Accepted]) -> None:
        """Fold words in. Raises `InfernoError`, which ends the reading."""
        self._exchange.heard(frames)
        self._size_bytes += sum(len(frame.delta) for frame, _ in frames)
        if self._size_bytes > MAX_ANSWER_BYTES:
            raise InvalidRequest(
                f"The answer has more than the {MAX_ANSWER_BYTES >> 20} MiB that are given at once. Ask for less, or "
                "for a stream."
            )
        try:
            self._folding.add(frames)
        except msgspec.MsgspecError as error:
            _log.exception("what the engine said is not of its surface", extra={"facts": {"id": frames[0].frame.id}})
            raise EngineFailed("The engine's words could not be read. Try again.") from error
        if self._exchange.final is not None:
            self._over.set()

    def cut(self, error: InfernoError) -> None:
        """There will be nothing more."""
        self._error = error
        self._over.set()

    async def give(self, follower: Follower, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer once it is complete.

        Raises:
            InfernoError: the generation failed.
            ClientGone: the client hung up.

        """
        async with held(receive, self._draft.deadlines.whole_s + _WRITE_S):
            await self._over.wait()
            body = self._body(follower.id)
            named = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            named += headers.answered(self._exchange)
            await send({"type": "http.response.start", "status": 200, "headers": named})
            await send({"type": "http.response.body", "body": body})

    def _body(self, id: str) -> bytes:
        if self._error is not None:
            raise self._error
        head, final = self._exchange.head, self._exchange.final
        assert final is not None, "what is over without an error has an end"
        failures.raise_if_failed(final)
        cover = Cover(
            id=id,
            created=int(time.time()) if head is None else head.created,
            model=self._draft.model,
            fingerprint="" if head is None else head.fingerprint,
            usage=final.usage,
        )
        return self._folding.whole(cover)
