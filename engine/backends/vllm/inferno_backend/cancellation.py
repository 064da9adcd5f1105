"""Notices clients that have gone. Triton tells nobody: it has to be asked, request by request."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

POLL_S = 0.08


class Watched(Protocol):
    """A generation that can lose its client."""

    id: str

    def is_cancelled(self) -> bool:
        """Ask whether the client has gone."""

    def is_closed(self) -> bool:
        """Say whether it has ended."""


class Cancellation:
    """Asks for each live generation every 80 ms, in one thread, and calls `gone` once for each lost one."""

    def __init__(self, gone: Callable[[Watched], None]) -> None:
        self._gone = gone
        self._live: dict[str, Watched] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cancellation", daemon=True)
        self._thread.start()

    def watch(self, generation: Watched) -> None:
        """Watch `generation` until it is closed or lost."""
        with self._changed:
            self._live[generation.id] = generation
            self._changed.notify()

    def close(self) -> list[Watched]:
        """Stop, and give what was still watched."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            return list(self._live.values())

    def _run(self) -> None:
        while live := self._wait():
            begun = time.monotonic()
            for generation in live:
                if generation.is_closed():
                    self._forget(generation)
                elif generation.is_cancelled():
                    self._forget(generation)
                    self._gone(generation)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, timeout=max(0.0, POLL_S - (time.monotonic() - begun)))

    def _wait(self) -> list[Watched]:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._live)
            return [] if self._closing else list(self._live.values())

    def _forget(self, generation: Watched) -> None:
        with self._changed:
            self._live.pop(generation.id, None)
