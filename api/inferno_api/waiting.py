"""Requests that no engine has taken yet: how many may wait, in all and of one key, and when it is worth coming back."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Generator
from contextlib import contextmanager

from inferno_core.errors import RateLimited, Unavailable

_LOOKED_BACK_S = 30.0
_MOST_TIMES = 4096
"""Of how many requests that were taken the time is kept: enough to tell the pace of a fast engine."""

_LONGEST_S = 120
"""The longest that anyone is sent away for, in seconds: OpenAI's clients do not heed more."""


class Wait:
    """One request's place. It is given up when an engine takes the request, or when nobody waits for it any more."""

    def __init__(self, leave: Callable[[bool], None]) -> None:
        self._leave: Callable[[bool], None] | None = leave

    def taken(self) -> None:
        """An engine has the request."""
        self._end(True)

    def given_up(self) -> None:
        """The request is over; says nothing if it was taken."""
        self._end(False)

    def _end(self, taken: bool) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave(taken)


class WaitingRoom:
    """The places of one lane in this process: `most` in all, and `most_per_key` of one key.

    Each API process has its own, so that as many times more wait as there are processes. `clock` is in seconds.
    """

    def __init__(self, most: int, most_per_key: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._most_per_key = most_per_key
        self._clock = clock
        self._waiting: Counter[str] = Counter()
        self._count = 0
        self._taken: deque[float] = deque(maxlen=_MOST_TIMES)

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._count

    @contextmanager
    def enter(self, key: str) -> Generator[Wait]:
        """Wait for an engine, in the name of `key`, for as long as the block lasts or until `Wait.taken`.

        Raises:
            RateLimited: as many of this key wait as may.
            Unavailable: as many wait as may in all.

        """
        self._check(key)
        self._waiting[key] += 1
        self._count += 1
        wait = Wait(lambda taken: self._leave(key, taken))
        try:
            yield wait
        finally:
            wait.given_up()

    def _check(self, key: str) -> None:
        mine = self._waiting.get(key, 0)
        if mine >= self._most_per_key:
            raise RateLimited(
                f"{mine} requests of this key wait for an engine, and more may not. Send fewer at once.",
                retry_after_s=self._retry_after_s(),
            )
        if self._count >= self._most:
            raise Unavailable(
                f"{self._count} requests wait for an engine here, and more may not. Try again later.",
                retry_after_s=self._retry_after_s(),
            )

    def _leave(self, key: str, taken: bool) -> None:
        self._count -= 1
        self._waiting[key] -= 1
        if not self._waiting[key]:
            del self._waiting[key]
        if taken:
            self._taken.append(self._clock())

    def _retry_after_s(self) -> int:
        """Reckon when one more would be taken at the pace of the last half minute: those who wait come first."""
        now = self._clock()
        while self._taken and self._taken[0] < now - _LOOKED_BACK_S:
            self._taken.popleft()
        if not self._taken:
            return round(_LOOKED_BACK_S)
        pace = len(self._taken) / max(1.0, now - self._taken[0])
        return max(1, min(_LONGEST_S, math.ceil(self._count / pace)))
