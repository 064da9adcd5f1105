"""Notices that an engine is dead, or that it has stopped without a word: it works at something and makes no step."""

import threading
from collections.abc import Callable
from typing import Any

from inferno_backend.seam import Engine

PARAMETER = "step_deadline_s"
DEFAULT_S = 60.0

_LOOK_S = 0.5


def deadline_s(config: dict[str, Any]) -> float:
    """Give the longest time, in seconds, that a step may take: the parameter `step_deadline_s` of config.pbtxt.

    Raises ValueError.
    """
    value = config.get("parameters", {}).get(PARAMETER, {}).get("string_value", str(DEFAULT_S))
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ValueError(f"Parameter {PARAMETER} of config.pbtxt is {value!r}; it must be a number of seconds above 0.")
    return seconds


class Pulse:
    """Looks after `engine`, and calls `died` once, with a sentence. `works` tells whether it has anything to do."""

    def __init__(
        self, engine: Engine, deadline_s: float, works: Callable[[], bool], died: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._looks = max(1, round(deadline_s / _LOOK_S))
        self._deadline_s = deadline_s
        self._works = works
        self._died = died
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()

    def _run(self) -> None:
        # Looks are counted, not time: a process that was stopped for a minute, or lacked CPU, is not a dead engine.
        last, looks = -1.0, 0
        while not self._closing.wait(_LOOK_S):
            step = self._engine.stats.last_step
            looks = looks + 1 if self._works() and step == last else 0
            last = step
            reason = self._engine.dead
            if reason is None and looks >= self._looks:
                reason = f"The engine made no step for {self._deadline_s:g} s."
            if reason is not None:
                self._died(reason)
                return
