"""Where an engine puts what a generation gained, until it is put into words.

The engine's thread puts, one other takes; neither ever waits for the other. What is put stands in one queue for all
generations, so that a step's gains lie side by side and a token costs little more than its words.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from inferno_backend.rendering import Rendering
from inferno_backend.seam import Gain, Render, Usage
from inferno_core.errors import InfernoError


class End(NamedTuple):
    """How a generation ended: with what it used, or with an error."""

    usage: Usage | None = None
    error: InfernoError | None = None


class Tray:
    """The `Reply` that an engine sees. `rendering` is there once the engine has begun.

    Who takes does so by `collect`. All else is his: `owner` is what he put there, `gains` what he has collected and not
    taken, `ending` the end, once all that came before it was collected.
    """

    __slots__ = ("_news", "ending", "gains", "owner", "rendering")

    def __init__(self, news: "News", owner: Any) -> None:
        self.owner = owner
        self.gains: list[Gain] = []
        self.ending: End | None = None
        self.rendering: Rendering | None = None
        self._news = news

    def begin(self, render: Render) -> None:
        """Take what puts this generation into words."""
        self.rendering = Rendering(render)

    def put(self, gain: Gain) -> None:
        """Take what a choice gained."""
        self._news.append((self, gain))

    def end(self, usage: Usage) -> None:
        """Take the end."""
        self._news.append((self, End(usage=usage)))

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more."""
        self._news.append((self, End(error=error)))

    def close(self) -> None:
        """End without a word: nobody listens any more."""
        self._news.append((self, End()))

    def take(self, most: int) -> list[Gain]:
        """Take what was collected, in its order, up to `most` gains."""
        gains = self.gains
        if len(gains) <= most:
            self.gains = []
            return gains
        self.gains = gains[most:]
        return gains[:most]


News = deque[tuple[Tray, Gain | End]]
"""What engines have put, in its order."""


def collect(news: News) -> Sequence[Tray]:
    """Give the trays in which something was put, but for those that had something before and were not taken from since.
    Of several ends of a generation the first one counts.
    """
    trays: list[Tray] = []
    while news:
        tray, said = news.popleft()
        if said.__class__ is End:
            tray.ending = tray.ending or said  # type: ignore[assignment]  # told apart in the quickest way
            trays.append(tray)
            continue
        if not tray.gains:
            trays.append(tray)
        tray.gains.append(said)  # type: ignore[arg-type]  # the same
    return trays
