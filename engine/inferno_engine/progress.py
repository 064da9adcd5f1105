"""How long steps of the set-up tell how far they are."""

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """A step, what it is doing now, and the share that is done (0 to 1, None where that can't be known)."""

    step: str
    detail: str
    fraction: float | None = None


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tell nobody."""
