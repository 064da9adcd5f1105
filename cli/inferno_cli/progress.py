"""Shows the long steps before a start: what is fetched or converted, how much of it, and for how long already."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from inferno_engine.progress import Progress, Report


@contextmanager
def shown(console: Console) -> Generator[Report]:
    """Give what steps report to: a line each, with a bar where the share is known."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    known: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def report(progress: Progress) -> None:
            if progress.step not in known:
                _finish(bars, known)
                known[progress.step] = bars.add_task(progress.step, total=None, detail="")
                if not console.is_terminal:
                    console.print(f"{progress.step}: {progress.detail}", markup=False)
            total = None if progress.fraction is None else 1.0
            bars.update(known[progress.step], total=total, completed=progress.fraction or 0.0, detail=progress.detail)

        yield report
        _finish(bars, known)


def _finish(bars: Bars, known: dict[str, TaskID]) -> None:
    """Steps follow each other, so one that begins ends those before it."""
    for task in known.values():
        bars.update(task, total=1.0, completed=1.0, detail="")
