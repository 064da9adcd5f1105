"""Puts gains into words, and watches what that costs: many parsers are quadratic in the length of what they read.

A generation whose words cost more than a millisecond of CPU is *slow*. It is to be rendered apart from the others and
for a tenth of the time at most; what it gains meanwhile is told together, which is what makes such parsers bearable.
One that costs a minute of CPU in all is given up.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

from inferno_backend.seam import Gain, Render
from inferno_core.errors import EngineFailed, InfernoError

SLOW_S = 0.001
MOST_S = 60.0
PUSH = 64
"""How many tokens are put into words at once by a generation that is not slow."""

_REST = 9
_log = logging.getLogger(__name__)


class Rendering:
    """One generation's words. `is_slow` says how they are to be asked for; not before `rested_at` (monotonic) then.

    To look at a thread's CPU time costs as much as most words do, so only a *suspect* is measured: one of some that
    took longer than SLOW_S together by the clock, which may also be time in which another thread ran. `render` is what
    the engine gave.
    """

    __slots__ = ("_spent_s", "is_slow", "is_suspect", "render", "rested_at")

    def __init__(self, render: Render) -> None:
        self.is_slow = False
        self.rested_at = 0.0
        self.render = render
        self.is_suspect = False
        self._spent_s = 0.0

    def push(self, gains: Sequence[Gain]) -> Sequence[Any]:
        """Give the words of `gains`. Raises InfernoError; whatever else goes wrong is the engine's failure."""
        try:
            return self._measured(gains) if self.is_suspect else self.render(gains)
        except Exception as error:
            raise failure(error) from error

    def _measured(self, gains: Sequence[Gain]) -> Sequence[Any]:
        begun = time.thread_time()
        words = self.render(gains)
        spent_s = time.thread_time() - begun
        self._spent_s += spent_s
        self.is_slow = self.is_suspect = spent_s > SLOW_S
        self.rested_at = time.monotonic() + _REST * spent_s
        if self._spent_s > MOST_S:
            raise EngineFailed(
                f"Reading this answer's tool calls or reasoning took more than {MOST_S:.0f} s of CPU; ask for a "
                "shorter answer."
            )
        return words


def failure(error: Exception) -> InfernoError:
    """Say why something could not be put into words."""
    if isinstance(error, InfernoError):
        return error
    _log.error("What the engine said could not be put into words.", exc_info=error)
    return EngineFailed("What the engine said could not be put into words; try again.")
