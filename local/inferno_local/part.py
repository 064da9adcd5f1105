"""One row of the stack's table: how a process is started, when it is ready, and how it is stopped.

The supervisor knows nothing else of a process, so a new one is a new row.
"""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

State = Literal["waiting", "preparing", "starting", "ready", "done", "backoff", "stopping", "stopped"]


class Run(Protocol):
    """Runs a command of a part's preparation to its end, in the part's log."""

    async def __call__(self, *argv: str, within_s: float = 120) -> None:
        """Raises an `InfernoError` that says what the command said last."""
        ...


Prepare = Callable[[Run], Awaitable[None]]
Ready = Callable[[], Awaitable[str | None]]


async def nothing(run: Run) -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process of the stack.

    `env` is all that the process gets. `needs` names the parts that must be ready before it is started the first time.
    `uses` names those that it waits for by itself: it is started beside them, and stopped before both kinds.
    `prepare` runs before every start and repairs what a crash left. `ready` gives None once the process answers, else
    what it waits for; None instead of a function marks a task, which is over when it exits with 0. `ready_s`, `stop_s`:
    deadlines in seconds, after which it is killed. `nobody`: it refuses to run as root. `cwd`: its folder, the home
    folder if None. `endpoints`: where it is reached, for people.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    needs: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    prepare: Prepare = nothing
    ready: Ready | None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_s: float = 60.0
    stop_s: float = 10.0
    nobody: bool = False
    cwd: Path | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])

    def same_process(self, other: "Part") -> bool:
        """Whether a process started for `other` serves as this part."""
        return (self.argv, dict(self.env)) == (other.argv, dict(other.env))

    def needing(self, needs: frozenset[str]) -> "Part":
        """The same part, with other needs."""
        return replace(self, needs=needs)
