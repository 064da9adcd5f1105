"""The table of a search for settings, as it grows."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from inferno_engine.tuning.bench import Plan
from inferno_engine.tuning.journal import Entry
from inferno_engine.tuning.search import LEAST_GAIN

_RUNNING = "measuring"


class Sheet:
    """Rows of what was tried. On a terminal it is shown live; elsewhere each row is a line when it is done."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._streams = [streams for streams, _ in plan.loads]
        self._rows: dict[tuple[str, str], Entry | None] = {}

    def report(self, factor: str, value: str, entry: Entry | None) -> None:
        """Take that something is tried, or what came of it."""
        self._rows[factor, value] = entry
        if entry is not None and not self._console.is_terminal:
            cells = [f"{rates.streams}: {rates.trial:.1f} against {rates.best:.1f} tok/s" for rates in entry.rates]
            self._console.print(f"{factor} {value}: {verdict(entry)}", *cells, sep="; ", markup=False)

    def table(self) -> Table:
        """Draw all rows."""
        table = Table(box=None, pad_edge=False)
        table.add_column("setting")
        table.add_column("value")
        for streams in self._streams:
            table.add_column(f"tok/s at {streams} (best)", justify="right")
        table.add_column("verdict")
        for (factor, value), entry in self._rows.items():
            rates = {each.streams: f"{each.trial:.1f} ({each.best:.1f})" for each in entry.rates} if entry else {}
            cells = [rates.get(streams, "") for streams in self._streams]
            table.add_row(factor, value, *cells, Text(verdict(entry), style=_style(entry)))
        return table


def verdict(entry: Entry | None) -> str:
    """Say what came of a trial."""
    if entry is None:
        return _RUNNING
    if entry.gain is None:
        return f"out: {entry.out}"
    change = f"{(entry.gain - 1) * 100:+.1f}%"
    return f"faster, {change}" if entry.gain >= LEAST_GAIN else f"no gain, {change}"


def _style(entry: Entry | None) -> str:
    if entry is None:
        return "yellow"
    if entry.gain is None:
        return "red"
    return "green" if entry.gain >= LEAST_GAIN else ""
