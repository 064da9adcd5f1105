"""Renders, apart from the desk, what takes long, so that one generation's words do not hold up all others."""

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

from inferno_backend.tray import End, Tray
from inferno_core.errors import InfernoError

_MOST = 4096


class Spoken(NamedTuple):
    """What came of one turn of a slow generation: words, and its end if they are the last."""

    tray: Tray
    words: Sequence[Any]
    ending: End | None


def render(tray: Tray, most: int) -> Spoken:
    """Put into words what is in a tray, up to `most` gains. An error is an ending."""
    ending = tray.ending
    gains = tray.take(most)
    words: Sequence[Any] = ()
    if gains and tray.rendering is not None:
        try:
            words = tray.rendering.push(gains)
        except InfernoError as error:
            return Spoken(tray, (), End(error=error))
    return Spoken(tray, words, ending if tray.is_empty else None)


class SlowSpeaker:
    """A thread that renders generations in turn, each when it has rested, and gives what it makes to `spoken`."""

    def __init__(self, spoken: Callable[[Spoken], None]) -> None:
        self._spoken = spoken
        self._resting: list[tuple[float, int, Tray]] = []
        self._serials = count()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="slow speaker", daemon=True)
        self._thread.start()

    def take(self, tray: Tray) -> None:
        """Render this one when it has rested. Until `spoken` is called it is nobody else's."""
        assert tray.rendering is not None
        with self._changed:
            heapq.heappush(self._resting, (tray.rendering.rested_at, next(self._serials), tray))
            self._changed.notify()

    def close(self) -> None:
        """Stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def _run(self) -> None:
        while (tray := self._next()) is not None:
            self._spoken(render(tray, _MOST))

    def _next(self) -> Tray | None:
        with self._changed:
            while not self._closing:
                rest_s = self._resting[0][0] - time.monotonic() if self._resting else None
                if rest_s is not None and rest_s <= 0:
                    return heapq.heappop(self._resting)[2]
                self._changed.wait(rest_s)
        return None
