"""Bodies that are coming in: each has its bound, and all of a process together have one."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from inferno_api.wire.connection import ClientGone
from inferno_core.errors import InvalidRequest, RequestTimeout, TooLarge, Unavailable

MOST_TOGETHER_BYTES = 512 << 20
"""What bodies that are not complete yet may hold in one process, in bytes; more get 503."""

BODY_TIMEOUT_S = 60.0
"""How long one body may take to arrive, in seconds."""

_MOST_DIGITS = 20
"""No length has more: Python itself refuses to read thousands."""


class BodyBudget:
    """What bodies hold while they come in, all together. `held_bytes` is told for watching."""

    def __init__(self, most_bytes: int = MOST_TOGETHER_BYTES) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0

    @contextmanager
    def share(self) -> "Generator[Share]":
        """Open one body's share, which is free again at the block's end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held_bytes -= share.held_bytes

    def take(self, size_bytes: int) -> None:
        """Take as much. Raises `Unavailable` if that is more than there is."""
        if self.held_bytes + size_bytes > self._most_bytes:
            raise Unavailable("Too many large requests are coming in here; try again soon.", retry_after_s=2)
        self.held_bytes += size_bytes


class Share:
    """What one body holds of a budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.held_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """Hold more. Raises `Unavailable` if the budget has no more."""
        self._budget.take(size_bytes)
        self.held_bytes += size_bytes


async def read_body(scope: Scope, receive: Receive, most_bytes: int, budget: BodyBudget) -> bytes:
    """Read a request's body.

    Raises:
        InvalidRequest: it is compressed.
        TooLarge: it has more than `most_bytes`, by its own word or in fact.
        Unavailable: all bodies together hold more than `budget` allows.
        RequestTimeout: it did not arrive within a minute.
        ClientGone: it was not sent to its end.

    """
    coding = next((value for name, value in scope["headers"] if name == b"content-encoding"), b"identity")
    if coding.strip().lower() not in {b"", b"identity"}:
        raise InvalidRequest("The body has a content-encoding, and none is read here. Send it as it is.")
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if declared.isdigit() and (len(declared) > _MOST_DIGITS or int(declared) > most_bytes):
        raise _too_large(most_bytes)
    try:
        with budget.share() as share:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await _collect(receive, most_bytes, share)
    except TimeoutError as error:
        raise RequestTimeout(f"The body did not arrive within {BODY_TIMEOUT_S:.0f} s. Send it faster.") from error


async def _collect(receive: Receive, most_bytes: int, share: Share) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        share.grow(len(parts[-1]))
        if share.held_bytes > most_bytes:
            raise _too_large(most_bytes)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than the {most_bytes} bytes that are read. Send less.")
