"""Coordinate descent: one setting at a time, each value against the best so far.

Sans I/O: it says what to try next, and is told what came of it. The same answers lead the same way, so a search that
was interrupted goes on where it was when it is told again what it had learnt.
"""

from collections.abc import Generator, Sequence
from typing import Literal, NamedTuple

from inferno_engine.tuning.factors import Factor, Machine
from inferno_engine.tuning.settings import Settings

Verdict = Literal["faster", "not faster", "slower", "disagrees", "failed"]

# What is not faster by this much may be the machine's mood.
LEAST_GAIN = 1.02


class Trial(NamedTuple):
    """Something to try: a factor, its value, and what the settings would be with it; `best` are those to beat."""

    factor: str
    value: str
    settings: Settings
    best: Settings


class Search:
    """A search from `start`. Ask `next`, then `tell`, until there is no next."""

    def __init__(self, start: Settings, factors: Sequence[Factor], machine: Machine) -> None:
        self.best = start
        self._machine = machine
        self._tried = {start.key}
        self._trials = self._all(factors)

    def next(self) -> Trial | None:
        """Give what to try next, or None when all was tried."""
        return next(self._trials, None)

    def tell(self, trial: Trial, gain: float | None) -> bool:
        """Say how many times faster than the best a trial was, None if it is out; say whether it is the best now."""
        better = gain is not None and gain >= LEAST_GAIN
        if better:
            self.best = trial.settings
        return better

    def _all(self, factors: Sequence[Factor]) -> Generator[Trial]:
        for factor in factors:
            for value, change in factor.values(self._machine, self.best).items():
                settings = self.best.changed(change)
                if settings.key not in self._tried:
                    self._tried.add(settings.key)
                    yield Trial(factor.name, value, settings, self.best)


def gain_of(rates: Sequence[tuple[float, float]]) -> float:
    """Give the geometric mean of the ratios: each pair is a trial's rate and the best's, at the same load."""
    product = 1.0
    for mine, best in rates:
        product *= mine / best
    return float(product ** (1 / len(rates)))
