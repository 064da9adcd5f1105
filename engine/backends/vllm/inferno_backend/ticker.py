"""Does something again and again, beside everything else."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Ticker:
    """Calls `act` every `period_s` seconds, in a thread of its own."""

    def __init__(self, period_s: float, act: Callable[[], None], name: str) -> None:
        self._period_s = period_s
        self._act = act
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Stop; waits for at most `timeout_s`."""
        self._closing.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._closing.wait(self._period_s):
            try:
                self._act()
            except Exception:
                _log.exception("The thread %s failed at a turn.", self._thread.name)
