"""Puts gains into words, those of slow generations apart from the desk, so that no one's words hold up all others."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from inferno_backend.seam import Gain
from inferno_backend.tray import Tray
from inferno_core.errors import InfernoError


class Spoken(NamedTuple):
    """What came of a turn of a generation: words, and the failure to find some."""

    tray: Tray
    words: Sequence[Any]
    error: InfernoError | None = None


def speak(tray: Tray, gains: Sequence[Gain]) -> Spoken:
    """Put gains into words."""
    rendering = tray.rendering
    if rendering is None or not gains:
        return Spoken(tray, ())
    try:
        return Spoken(tray, rendering.push(gains))
    except InfernoError as error:
        return Spoken(tray, (), error)


class SlowSpeaker:
    """A thread that puts the gains of slow generations into words, and gives what it makes to `spoken`."""

    def __init__(self, spoken: Callable[[Spoken], None]) -> None:
        self._spoken = spoken
        self._asked: queue.SimpleQueue[tuple[Tray, Sequence[Gain]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="slow speaker", daemon=True)
        self._thread.start()

    def take(self, tray: Tray, gains: Sequence[Gain]) -> None:
        """Put these into words. Until `spoken` is called for this generation, nobody else does."""
        self._asked.put((tray, gains))

    def close(self) -> None:
        """Stop, after what was taken."""
        self._asked.put(None)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._spoken(speak(*asked))
