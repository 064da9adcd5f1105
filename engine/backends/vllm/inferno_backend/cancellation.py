"""Notices clients that have gone. Triton tells nobody: it has to be asked, request by request."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

POLL_S = 0.08


class Watched(Protocol):
    """A generation that can lose its client."""

    id: str

    def is_cancelled(self) -> bool:
        """Ask whether the client has gone."""

    def is_closed(self) -> bool:
        """Say whether it has ended."""


_W = TypeVar("_W", bound=Watched)


class Cancellation(Generic[_W]):
    """Asks for each live generation every 80 ms, in one thread, and calls `gone` with those that are newly lost."""

    def __init__(self, gone: Callable[[Sequence[_W]], None]) -> None:
        self._gone = gone
        self._live: dict[str, _W] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cancellation", daemon=True)
        self._thread.start()

    def watch(self, generation: _W) -> None:
        """Watch `generation` until it is closed or lost."""
        with self._changed:
            self._live[generation.id] = generation
            self._changed.notify()

    def live(self) -> list[_W]:
        """Give all that are watched."""
        with self._changed:
            return list(self._live.values())

    def close(self) -> list[_W]:
        """Stop, and give what was still watched."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            return list(self._live.values())

    def _run(self) -> None:
        while live := self._wait():
            begun = time.monotonic()
            closed = [generation for generation in live if generation.is_closed()]
            lost = [generation for generation in live if not generation.is_closed() and generation.is_cancelled()]
            if closed or lost:
                self._forget([*closed, *lost])
            if lost:
                self._gone(lost)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, timeout=max(0.0, POLL_S - (time.monotonic() - begun)))

    def _wait(self) -> list[_W]:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._live)
            return [] if self._closing else list(self._live.values())

    def _forget(self, generations: Sequence[_W]) -> None:
        with self._changed:
            for generation in generations:
                self._live.pop(generation.id, None)
