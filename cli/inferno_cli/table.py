"""The table of processes, for people."""

from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from inferno_local.report import ProcessReport, StackReport

_COLOURS = {"ready": "green", "done": "green", "backoff": "red", "stopped": "dim", "waiting": "dim"}


def table(report: StackReport, note: str = "") -> Table:
    """One row a process. Tasks that are done are left out; `note` stands below."""
    shown = Table(box=None, pad_edge=False, caption=note or None, caption_justify="left")
    for name in ("process", "state", "for", "pid", "memory", "restarts"):
        shown.add_column(
            name, no_wrap=True, justify="right" if name in {"for", "pid", "memory", "restarts"} else "left"
        )
    shown.add_column("", overflow="fold")
    for process in report.processes:
        if process.state != "done":
            shown.add_row(*_row(process))
    return shown


def age(since: str) -> str:
    """How long ago a time was, in words: `2.3 s`, `4 min`, `3 h`."""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _row(process: ProcessReport) -> tuple[str | Text, ...]:
    return (
        process.name,
        Text(process.state, style=_COLOURS.get(process.state, "yellow")),
        age(process.since),
        str(process.pid or ""),
        f"{process.rss_bytes / 1e6:.0f} MB" if process.rss_bytes else "",
        str(process.restarts or ""),
        Text(_explanation(process)),
    )


def _explanation(process: ProcessReport) -> str:
    if process.state == "waiting":
        return f"for {process.detail}" if process.detail else ""
    parts = [process.detail] if process.state != "ready" and process.detail else []
    if process.cause:
        parts.append(f"last time it {process.cause}" if process.state == "ready" else process.cause)
    return "; ".join(parts)
