"""Notices that an engine is dead, or that engine or sessions have stopped without a word: no step, or no turn."""

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
    """Looks after `engine`, and calls `died` once, with a sentence. `works` tells whether it has anything to do.

    `turns` counts what those who tell workers of it have done; it never stays the same for long.
    """

    def __init__(
        self,
        engine: Engine,
        deadline_s: float,
        works: Callable[[], bool],
        turns: Callable[[], int],
        died: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._looks = max(1, round(deadline_s / _LOOK_S))
        self._deadline_s = deadline_s
        self._works = works
        self._turns = turns
        self._died = died
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()

    def _run(self) -> None:
        steps, turns = _Standstill(), _Standstill()
        while not self._closing.wait(_LOOK_S):
            reason = self._engine.dead
            if steps.look(self._engine.stats.last_step, moves=not self._works()) >= self._looks:
                reason = reason or f"The engine made no step for {self._deadline_s:g} s."
            if turns.look(self._turns()) >= self._looks:
                reason = reason or f"No worker was told of anything for {self._deadline_s:g} s."
            if reason is not None:
                self._died(reason)
                return


class _Standstill:
    """Counts how often in a row a figure was the same.

    Looks are counted, not time: a process that was stopped for a minute, or lacked CPU, does not stand still.
    """

    def __init__(self) -> None:
        self._last = -1.0
        self._looks = 0

    def look(self, figure: float, *, moves: bool = False) -> int:
        """Look once; where it `moves` anyway, that counts as another figure."""
        self._looks = 0 if moves or figure != self._last else self._looks + 1
        self._last = figure
        return self._looks
