"""The way out: one thread that sends, so that no engine ever waits for Triton.

A send takes 0.3 to 0.6 ms. Words wait by generation; when sending lags, one response takes all that waits for its
generation. So no more than one response a generation is ever queued, however slow the way is.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from inferno_backend.contract import End

_log = logging.getLogger(__name__)


class Recipient(Protocol):
    """Where words go."""

    def send(self, words: Sequence[Any], end: End | None) -> None:
        """Send one response; blocks."""


class _Waiting:
    """What waits for one recipient."""

    __slots__ = ("end", "words")

    def __init__(self) -> None:
        self.words: list[Any] = []
        self.end: End | None = None


class Outbox:
    """Sends in the order in which recipients first had something waiting."""

    def __init__(self) -> None:
        self._waiting: dict[Recipient, _Waiting] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def add(self, recipient: Recipient, words: Sequence[Any], end: End | None) -> None:
        """Queue words, and the end if `end` is given; never blocks for long. What follows an end is dropped."""
        with self._changed:
            waiting = self._waiting.get(recipient)
            if waiting is None:
                waiting = self._waiting[recipient] = _Waiting()
                self._changed.notify()
            if waiting.end is None:
                waiting.words.extend(words)
                waiting.end = end

    def close(self, timeout_s: float) -> None:
        """Send what waits, for at most `timeout_s`, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _take(self) -> tuple[Recipient, _Waiting] | None:
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                self._changed.wait()
            recipient = next(iter(self._waiting))
            return recipient, self._waiting.pop(recipient)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            recipient, waiting = taken
            try:
                recipient.send(waiting.words, waiting.end)
            except Exception:
                # One response that can't be sent must not silence all others.
                _log.exception("A response could not be sent.")
