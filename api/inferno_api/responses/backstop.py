"""The edge's own deadlines. The worker ends what is late, and says why; without any worker nobody else would."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

from inferno_api.exchange import Exchange
from inferno_core.errors import DeadlineExceeded
from inferno_core.records import Deadlines
from inferno_stream.edge import Follower

SLACK_S = 10.0
"""How much longer than a deadline the edge waits for the worker's word, in seconds."""


class _Backstop:
    """Cuts a follower of whose generation nothing is heard. Looks again when the next limit may be reached."""

    def __init__(self, follower: Follower, exchange: Exchange, deadlines: Deadlines) -> None:
        self._follower = follower
        self._exchange = exchange
        self._deadlines = deadlines
        self._began = time.perf_counter()
        self._timer = self._at(self._limit())

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _limit(self) -> float:
        """Say until when something has to have come.

        One that runs may lose its worker: then it waits in the queue again, and for a first token after that.
        """
        deadlines, exchange = self._deadlines, self._exchange
        whole = self._began + deadlines.whole_s
        if exchange.head is None:
            return min(whole, self._began + deadlines.queue_s) + SLACK_S
        silent_s = deadlines.queue_s + max(deadlines.first_token_s, deadlines.between_tokens_s)
        return min(whole, (exchange.last or self._began) + silent_s) + SLACK_S

    def _look(self) -> None:
        limit = self._limit()
        if time.perf_counter() < limit:
            self._timer = self._at(limit)
        else:
            self._follower.cut(self._error())

    def _at(self, limit: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(max(0.0, limit - time.perf_counter()), self._look)

    def _error(self) -> DeadlineExceeded:
        if self._exchange.head is None:
            return DeadlineExceeded(
                f"No engine took the request within {self._deadlines.queue_s:.0f} s. Try again later."
            )
        return DeadlineExceeded("Nothing more is heard of this generation, and its deadline passed. Ask again.")


@contextmanager
def backstop(follower: Follower, exchange: Exchange, deadlines: Deadlines) -> Generator[None]:
    """While in the block, cut `follower` with `DeadlineExceeded` once all deadlines of its generation have passed."""
    guard = _Backstop(follower, exchange, deadlines)
    try:
        yield
    finally:
        guard.close()
