"""What a stack is made of at a moment: that it lives as it lived, holds nothing, and takes no more than it took."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import psutil

from inferno_core.hosts import HostedModel
from inferno_store import hosts, redis
from tests.conftest import Stack

_SETTLED_S = 30.0
_MIB = 1 << 20

GROWTH_MIB = 40
"""How much more memory a process may hold: allocators keep what they had at once, so the first load is no measure."""

FDS = 8
"""How many more files a process may hold open: pools and idle connections come and go."""


class Process(NamedTuple):
    """One process of the stack."""

    rss_mib: float
    fds: int
    threads: int


class State(NamedTuple):
    """The stack at a moment."""

    lives: Mapping[str, int]
    """Pid of each process; what was restarted has another."""

    engines: Mapping[str, str]
    """The life of each engine, by model."""

    processes: Mapping[str, Process]


async def state(stack: Stack) -> State:
    """Look at everything."""
    status = stack.status
    return State(
        lives={each["name"]: each["pid"] for each in status["processes"]},
        engines={model.name: model.life for model in await _models(status)},
        processes={name: _process(process) for name, process in _processes(status).items()},
    )


def rss_mib(process: psutil.Process) -> float:
    """How much memory a process holds now."""
    return process.memory_info().rss / _MIB


async def until_empty(status: Mapping[str, Any]) -> None:
    """Wait until no part of the stack that has this status holds anything."""
    deadline = time.monotonic() + _SETTLED_S
    while busy := await _in_hand(status):
        assert time.monotonic() < deadline, f"still in hand after {_SETTLED_S} s: {busy}"
        await asyncio.sleep(0.05)


def unharmed(before: State, after: State) -> None:
    """Hold two states against each other: the same lives, and no more than a little growth."""
    assert after.lives == before.lives
    assert after.engines == before.engines
    grown = {
        name: (was, now)
        for name, now in after.processes.items()
        if (was := before.processes[name])
        and (now.rss_mib - was.rss_mib > GROWTH_MIB or now.fds - was.fds > FDS or now.threads - was.threads > FDS)
    }
    assert grown == {}, grown


async def _in_hand(status: Mapping[str, Any]) -> dict[str, float]:
    """Name what anybody works at or waits for: engines, workers, APIs."""
    engines = {f"{model.name} at its engine": model.running + model.waiting for model in await _models(status)}
    counted = dict[str, float](engines)
    async with httpx.AsyncClient() as client:
        for name, place in status["endpoints"].items():
            if name.startswith(("worker-", "api-")):
                text = (await client.get(f"http://{place}/metrics")).text
                counted |= {f"{name} {series}": value for series, value in _series(text) if _HELD.match(series)}
    return {name: value for name, value in counted.items() if value}


_HELD = re.compile(r"inferno_(worker_(running|waiting|unacknowledged_bytes)|generations_(running|waiting))\b")


def _series(text: str) -> list[tuple[str, float]]:
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return [(series, float(value)) for series, _, value in lines]


async def _models(status: Mapping[str, Any]) -> list[HostedModel]:
    presence = redis.connect(status["endpoints"]["redis"])
    try:
        return [model for host in await hosts.read(presence) for model in host.models]
    finally:
        await presence.aclose()


def _processes(status: Mapping[str, Any]) -> dict[str, psutil.Process]:
    """All processes of ours by name; what they started is named after them. The databases' are theirs to size."""
    found: dict[str, psutil.Process] = {}
    for each in status["processes"]:
        if each["name"].startswith(("api-", "worker-", "agent-", "triton-")):
            process = psutil.Process(each["pid"])
            found[each["name"]] = process
            for child in process.children(recursive=True):
                found[f"{each['name']} {child.name()}"] = child
    return found


def _process(process: psutil.Process) -> Process:
    with process.oneshot():
        return Process(rss_mib(process), process.num_fds(), process.num_threads())
