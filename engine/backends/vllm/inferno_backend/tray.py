"""Where an engine puts what a generation gained, until it is put into words.

The engine's thread puts, one other takes; neither ever waits for the other. What is put stands in one queue for all
generations, so that a step's gains lie side by side and a token costs little more than its words.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from inferno_backend.rendering import PUSH, Rendering
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

    __slots__ = ("_fold_at", "_news", "ending", "gains", "owner", "rendering")

    def __init__(self, news: "News", owner: Any) -> None:
        self.owner = owner
        self.gains: list[Gain] = []
        self.ending: End | None = None
        self.rendering: Rendering | None = None
        self._news = news
        self._fold_at = PUSH

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
        """Take what was collected, in its order: gains of up to `most` tokens, and one at least."""
        gains = self.gains
        for place, gain in enumerate(gains):
            most -= len(gain.tokens) or 1
            if most < 0 and place:
                self.gains = gains[place:]
                return gains[:place]
        self.gains = []
        return gains

    def fold(self) -> int:
        """Join gains that have to wait, so that they take little memory; give how many there are then."""
        rendering, gains = self.rendering, self.gains
        if rendering is None or len(gains) <= self._fold_at:
            return len(gains)
        self.gains = _folded(gains, rendering.render)
        # Not at every call: each looks through all of them.
        self._fold_at = max(PUSH, 2 * len(self.gains))
        return len(self.gains)

    def drop(self) -> None:
        """Put nothing into words any more."""
        self.rendering, self.gains = None, []


def _folded(gains: Sequence[Gain], render: Render) -> list[Gain]:
    """Join gains of each choice, as many as are put into words at once."""
    folded: list[Gain] = []
    places: dict[int, int] = {}
    for gain in gains:
        place = places.get(gain.index)
        if place is not None and len(folded[place].tokens) + len(gain.tokens) <= PUSH:
            joined = render.join(folded[place], gain)
            if joined is not None:
                folded[place] = joined
                continue
        places[gain.index] = len(folded)
        folded.append(gain)
    return folded


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
