"""What the engine hosts of a stack tell of a version, and waiting until it is so far."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from inferno_core.errors import DeadlineExceeded, Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_store import hosts, redis

_LOOK_S = 0.5
# A version is given up by its agent after 900 s at most, and others may be loaded before it.
_LONGEST_S = 3600.0
_ON_THE_WAY = (ModelState.VERIFYING, ModelState.LOADING, ModelState.PROVING)

Say = Callable[[str], None]


class NotServed(Unavailable):
    """A host tried to serve a version, and can't."""


class Told(NamedTuple):
    """One version on one host."""

    host: str
    model: HostedModel


async def read(url: str) -> list[Host]:
    """Ask once what all hosts tell. Raises `Unavailable`."""
    client = redis.connect(url)
    try:
        return await hosts.read(client)
    finally:
        await client.aclose()


def told(name: str, version: str, tell: Sequence[Host]) -> list[Told]:
    """Give how a version stands on each host that has it."""
    return [
        Told(host.name, model)
        for host in tell
        for model in host.models
        if (model.name, model.version) == (name, version)
    ]


async def until_serving(url: str, name: str, version: str, count: int, say: Say) -> None:
    """Wait until `count` hosts serve a version, and `say` how far that is.

    Raises `NotServed` with the reason when it fails on one of them, and `DeadlineExceeded`.
    """
    await _until(url, lambda tell: _is_serving(told(name, version, tell), count), say)


async def until_gone(url: str, name: str, version: str, say: Say) -> None:
    """Wait until no host takes anything new for a version. Raises `DeadlineExceeded`."""
    await _until(url, lambda tell: _is_gone(told(name, version, tell)), say)


def _is_serving(found: Sequence[Told], count: int) -> str | None:
    """None once it is; else what is waited for."""
    for host, model in found:
        if model.state is ModelState.FAILED:
            raise NotServed(f"{host} can't serve {model.name}:{model.version}: {model.detail}")
    ready = [host for host, model in found if model.state is ModelState.READY]
    if len(ready) >= count:
        return None
    waiting = next((each for each in found if each.model.state in _ON_THE_WAY), None)
    return _progress(waiting) if waiting else "waiting for the agents to notice"


def _is_gone(found: Sequence[Told]) -> str | None:
    taking = [host for host, model in found if model.state is not ModelState.RETIRING]
    return f"waiting for {', '.join(taking)}" if taking else None


def _progress(at: Told) -> str:
    model = at.model
    elapsed = f"{max(0, time.time() - model.since):.0f} s"
    expected = f" of about {model.expected_s:.0f} s" if model.expected_s and model.state is ModelState.LOADING else ""
    return f"{model.state.value} on {at.host}: {elapsed}{expected}"


async def _until(url: str, waits_for: Callable[[Sequence[Host]], str | None], say: Say) -> None:
    client = redis.connect(url)
    try:
        async with asyncio.timeout(_LONGEST_S):
            while (what := waits_for(await hosts.read(client))) is not None:
                say(what)
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise DeadlineExceeded(
            f"It did not come to that within {_LONGEST_S:.0f} s. See `inferno models list`."
        ) from None
    finally:
        await client.aclose()
