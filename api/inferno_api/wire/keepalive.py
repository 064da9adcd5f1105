"""One clock for all streams of a process: a timer each would cost more than the comments that they rarely send."""

import asyncio
import time
from typing import Protocol

_FRACTION = 0.25
"""A tick's share of the keep-alive time: a comment may come that much late."""

_MOST_S = 1.0


class Ticking(Protocol):
    """Something that is looked at now and then."""

    def tick(self, now: float) -> None:
        """Look at what is due at `now`, of `time.perf_counter`. Must neither wait nor raise."""
        ...


class Ticker:
    """Ticks for whoever is added, at least four times in `every_s` seconds, and stands still while nobody is."""

    def __init__(self, every_s: float) -> None:
        self._period_s = min(every_s * _FRACTION, _MOST_S)
        self._members: set[Ticking] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Ticking) -> None:
        """Tick for `member`, in the running loop."""
        self._members.add(member)
        if self._timer is None:
            self._arm()

    def discard(self, member: Ticking) -> None:
        """Tick for `member` no longer."""
        self._members.discard(member)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._period_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = time.perf_counter()
        for member in list(self._members):
            member.tick(now)
        if self._members:
            self._arm()
