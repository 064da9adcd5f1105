"""Where an engine puts what a generation gained, until it is put into words.

The engine's thread puts, one other takes; neither ever waits for the other.
"""

from collections import deque
from typing import Any, NamedTuple

from inferno_backend.rendering import Rendering
from inferno_backend.seam import Gain, Render, Usage
from inferno_core.errors import InfernoError


class End(NamedTuple):
    """How a generation ended: with what it used, or with an error."""

    usage: Usage | None = None
    error: InfernoError | None = None


class Tray:
    """The `Reply` that an engine sees. It puts itself on `news` when there is something to take.

    `owner` is for whoever takes; he clears `is_told` when he has taken the news, and then what was put. `rendering` is
    there once the engine has begun. `ending` has to be read before `take`: what was put before the end is then among
    what is taken.
    """

    __slots__ = ("_gains", "_news", "ending", "is_told", "owner", "rendering")

    def __init__(self, news: "deque[Tray]", owner: Any) -> None:
        self.owner = owner
        self.rendering: Rendering | None = None
        self.ending: End | None = None
        self._news = news
        self._gains: deque[Gain] = deque()
        self.is_told = False

    def begin(self, render: Render) -> None:
        """Take what puts this generation into words."""
        self.rendering = Rendering(render)

    def put(self, gain: Gain) -> None:
        """Take what a choice gained."""
        self._gains.append(gain)
        if not self.is_told:
            self.is_told = True
            self._news.append(self)

    def end(self, usage: Usage) -> None:
        """Take the end."""
        self.close(End(usage=usage))

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more."""
        self.close(End(error=error))

    def close(self, ending: End) -> None:
        """Take any end; the first one counts."""
        if self.ending is None:
            self.ending = ending
            self._news.append(self)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._gains

    def take(self, most: int) -> list[Gain]:
        """Take what was put, in its order, up to `most` gains."""
        gains = self._gains
        if len(gains) == 1:
            return [gains.popleft()]
        return [gains.popleft() for _ in range(min(most, len(gains)))]
