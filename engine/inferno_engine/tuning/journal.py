"""What was measured already, kept on disk, so that a search that was interrupted goes on instead of beginning anew."""

from pathlib import Path

import msgspec
from msgspec import Struct

from inferno_engine.tuning.search import Trial, gain_of


class Rates(Struct, frozen=True):
    """Tokens a second at so many streams: of a trial, and of the best so far in the same minutes."""

    streams: int
    trial: float
    best: float


class Entry(Struct, frozen=True):
    """What came of a trial against the best of its time. `out` is why it is out of the race, if it is."""

    plan: str
    factor: str
    value: str
    settings: str
    best: str
    rates: tuple[Rates, ...] = ()
    out: str = ""

    @property
    def gain(self) -> float | None:
        """How many times faster than the best it was, over all numbers of streams; None if it is out."""
        return None if self.out else gain_of([(rates.trial, rates.best) for rates in self.rates])


class Journal:
    """The entries in a file, one a line. A last line that was cut is as good as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = {_key(entry): entry for entry in _read(path)}

    def find(self, plan: str, trial: Trial) -> Entry | None:
        """Give what came of a trial, if it was made against the same best by the same plan."""
        return self._entries.get((plan, trial.settings.key, trial.best.key))

    def add(self, entry: Entry) -> None:
        """Keep an entry."""
        self._entries[_key(entry)] = entry
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")


def _key(entry: Entry) -> tuple[str, str, str]:
    return entry.plan, entry.settings, entry.best


def _read(path: Path) -> list[Entry]:
    entries: list[Entry] = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.DecodeError:
            # It was interrupted while it wrote this.
            continue
    return entries
