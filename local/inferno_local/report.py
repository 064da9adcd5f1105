"""What the supervisor tells of its stack: the messages of the control socket's `status`."""

from datetime import UTC, datetime
from typing import Literal

import psutil
from msgspec import Struct, field

from inferno_local.keeper import Keeper
from inferno_local.part import State

Engine = Literal["vllm", "synthetic"]


class Wanted(Struct, frozen=True):
    """Which processes a stack has: the kind of engine, and how many of each that can be many."""

    engine: Engine = "vllm"
    api: int = 1
    workers: int = 1
    triton: int = 1


class ProcessReport(Struct):
    """One process. `since`: in this state since then (ISO 8601); `rss_bytes` includes its own children."""

    name: str
    pid: int | None
    state: State
    restarts: int
    since: str
    rss_bytes: int
    cause: str = ""
    detail: str = ""
    task: bool = False


class StackReport(Struct):
    """A whole stack."""

    url: str = ""
    api_urls: list[str] = field(default_factory=list[str])
    processes: list[ProcessReport] = field(default_factory=list[ProcessReport])
    endpoints: dict[str, str] = field(default_factory=dict[str, str])
    wanted: Wanted | None = None
    supervisor: int = 0


def describe(keeper: Keeper) -> ProcessReport:
    """What is to be told of one process."""
    child = keeper.child
    return ProcessReport(
        name=keeper.part.name,
        pid=child.pid if child else None,
        state=keeper.state,
        restarts=keeper.restarts,
        since=datetime.fromtimestamp(keeper.since, UTC).isoformat(timespec="milliseconds"),
        rss_bytes=_memory(child.pid) if child else 0,
        cause=keeper.cause,
        detail=keeper.detail,
        task=keeper.part.ready is None,
    )


def _memory(pid: int) -> int:
    """Resident memory of a process and what it started, in bytes."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total
