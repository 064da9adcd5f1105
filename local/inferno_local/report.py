"""What the supervisor tells of its stack: the messages of the control socket's `status`."""

import hashlib
from collections.abc import Mapping
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


def given_settings(environ: Mapping[str, str]) -> str:
    """Digest the settings that a person gave, so that a stack can tell whether it was started with these."""
    given = sorted(item for item in environ.items() if item[0].startswith("INFERNO_") and item[0] != "INFERNO_HOME")
    return hashlib.sha256(repr(given).encode()).hexdigest()


class StackReport(Struct):
    """A whole stack. `settings` is the digest of those that it was started with."""

    url: str = ""
    api_urls: list[str] = field(default_factory=list[str])
    processes: list[ProcessReport] = field(default_factory=list[ProcessReport])
    endpoints: dict[str, str] = field(default_factory=dict[str, str])
    settings: str = ""
    wanted: Wanted | None = None


def describe(keeper: Keeper, memory: Mapping[int, int]) -> ProcessReport:
    """What is to be told of one process."""
    pid = keeper.child.pid if keeper.child else None
    return ProcessReport(
        name=keeper.part.name,
        pid=pid,
        state=keeper.state,
        restarts=keeper.restarts,
        since=datetime.fromtimestamp(keeper.since, UTC).isoformat(timespec="milliseconds"),
        rss_bytes=memory.get(pid or 0, 0),
        cause=keeper.cause,
        detail=keeper.detail,
        task=keeper.part.ready is None,
    )


def resident_bytes(supervisor: int) -> dict[int, int]:
    """Resident memory of each child of `supervisor` with all that it started, in bytes.

    One pass over the machine's processes, which takes some ten milliseconds: asked for by people, not in a loop.
    """
    parents: dict[int, int] = {}
    memory: dict[int, int] = {}
    for process in psutil.process_iter():
        try:
            parents[process.pid], memory[process.pid] = process.ppid(), process.memory_info().rss
        except psutil.Error:
            continue
    total: dict[int, int] = {}
    for pid, size in memory.items():
        child = _ancestor_below(supervisor, pid, parents)
        if child:
            total[child] = total.get(child, 0) + size
    return total


def _ancestor_below(supervisor: int, pid: int, parents: Mapping[int, int]) -> int:
    """The child of `supervisor` that `pid` descends from or is; 0 if it does not."""
    while parents.get(pid, 0) not in (0, supervisor):
        pid = parents[pid]
    return pid if parents.get(pid) == supervisor else 0
