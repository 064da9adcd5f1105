"""The way out for requests that are answered one by one: a thread that renders and sends, so that no engine ever waits.

A send takes 0.3 to 0.6 ms. When sending lags, one response takes all that waits for its generation. So no more than one
response a generation is ever queued, however slow the way is.
"""

import logging
import threading
from collections import deque
from typing import Protocol

from inferno_backend.tray import News, Tray, collect

_LATER_S = 0.02
_log = logging.getLogger(__name__)


class Speaker(Protocol):
    """The owner of a tray: passes on what is in it."""

    def speak(self, hurry: bool = False) -> bool:
        """Send one response of what has come; blocks. Says whether something was left for later, even if in a hurry."""


class Outbox:
    """Lets generations speak in the order in which they first had something to say."""

    def __init__(self) -> None:
        self.news: News = deque()
        self._later: list[Speaker] = []
        self._woken = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stepped(self) -> None:
        """There may be news; never blocks."""
        if self.news:
            self._woken.set()

    def take(self, speaker: Speaker) -> None:
        """Let this one speak until it is done; never blocks."""
        Tray(self.news, speaker).close()
        self.stepped()

    def close(self, timeout_s: float) -> None:
        """Send what waits, in a hurry and for at most `timeout_s`, and stop."""
        self._closing = True
        self._woken.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing or self.news or self._later:
            self._woken.wait(_LATER_S if self._later else None)
            self._woken.clear()
            later, self._later = self._later, []
            for speaker in later:
                self._let_speak(speaker)
            for tray in collect(self.news):
                self._let_speak(tray.owner)

    def _let_speak(self, speaker: Speaker) -> None:
        try:
            if speaker.speak(self._closing):
                self._later.append(speaker)
        except Exception:
            # One response that can't be sent must not silence all others.
            _log.exception("A response could not be sent.")
