"""`inferno logs`: what the processes say."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from inferno_cli.configuration import read_settings
from inferno_core.errors import NotFound
from inferno_local.home import Home
from inferno_local.journal import Follower, tail

_POLL_S = 0.2


def logs(
    name: str | None = None,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    lines: Annotated[int, Parameter(name=["--lines", "-n"])] = 40,
) -> None:
    """Show the last lines of the processes' logs.

    Parameters
    ----------
    name
        One process, as `worker-0`. Without it: all of them.
    follow
        Go on with new lines until Ctrl-C.
    lines
        How many lines of each log.

    """
    chosen = _chosen(Home.at(read_settings().home), name)
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(log.stem) for log in chosen) if len(chosen) > 1 else 0
    follower = Follower(chosen)
    for log in chosen:
        for line in tail(log, lines):
            _say(console, width, log.stem, line)
    while follow:
        for process, line in follower.lines():
            _say(console, width, process, line)
        time.sleep(_POLL_S)


def _chosen(home: Home, name: str | None) -> list[Path]:
    found = {log.stem: log for log in sorted(home.logs.glob("*.log"))}
    if name is None and found:
        return list(found.values())
    if name not in found:
        known = ", ".join(found) or "none yet: start the stack with `inferno up`"
        raise NotFound(f"There is no log of {name or 'any process'} in {home.logs}. There are: {known}.")
    return [found[name]]


def _say(console: Console, width: int, process: str, line: str) -> None:
    console.print(f"{process:>{width}} │ {line}" if width else line, markup=False)
