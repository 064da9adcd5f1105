"""The engines that a worker can reach: which hosts serve what, how much runs where, and who is lost."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from msgspec import Struct

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_core.records import Request
from inferno_stream.engine import HostLost, Place
from inferno_stream.triton import Triton

logger = logging.getLogger(__name__)

_REFRESH_S = 1.0
_UNBOUNDED = 1 << 30
_SUSPECT_S = 3.0
"""For how long a host that lost a run is not offered: by then its agent has told what became of it."""


class Flight(Struct, frozen=True, eq=False):
    """A run in the air. `lost` is set with a sentence when its engine is known to be gone."""

    place: Place
    lost: "asyncio.Future[str]"


class Fleet:
    """The `Engine` of real hosts.

    `read_hosts` gives what agents report; `urls` are Tritons, which are asked themselves unless an agent speaks
    for them, and whose presence is said with `publish`, so that the API knows their models too. While neither can be
    read, what was last known holds.
    """

    def __init__(
        self,
        read_hosts: Callable[[], Awaitable[Sequence[Host]]],
        publish: Callable[[Host], Awaitable[None]],
        urls: Sequence[str],
        timeout_s: float,
    ) -> None:
        self._read_hosts = read_hosts
        self._publish = publish
        self._urls = urls
        self._timeout_s = timeout_s
        self._reported: dict[str, Host] = {}
        self._asked: dict[str, Host] = {}
        self._tritons: dict[str, Triton] = {}
        self._running: Counter[tuple[str, str]] = Counter()
        self._flights: set[Flight] = set()
        self._suspects: dict[str, float] = {}

    async def watch(self) -> None:
        """Keep knowing the hosts, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_S)

    async def refresh(self) -> None:
        """Ask agents and hosts once, and declare lost what runs on an engine that is gone."""
        try:
            self._reported = {host.name: host for host in await self._read_hosts() if host.name not in self._urls}
        except InfernoError as error:
            logger.warning("hosts can't be read, the last known ones are used: %s", error.message)
        kept = {host.grpc for host in self._reported.values()}
        for url in self._urls:
            if url in kept:
                self._asked.pop(url, None)
            else:
                await self._ask(url)
        self._tell_lost()

    @property
    def _hosts(self) -> dict[str, Host]:
        """The hosts that are offered, by name: who falls silent is forgotten, and what runs there runs on."""
        return self._reported | self._asked

    async def close(self) -> None:
        """Close all connections."""
        for triton in self._tritons.values():
            await triton.close()

    def find(self, request: Request) -> Place | None:
        """Hold a place on the ready host that runs least, if one has room; None for now otherwise."""
        offers = [
            (self._running[host.name, model.name] / (model.slots or _UNBOUNDED), host, model)
            for host in self._hosts.values()
            for model in host.models
            if _serves(model, request) and not self._is_suspect(host.name)
        ]
        if not offers:
            return None
        load, host, model = min(offers, key=lambda offer: offer[0])
        if load >= 1:
            return None
        self._running[host.name, model.name] += 1
        return Place(host.name, host.incarnation, model.fingerprint, model.name, model.version)

    def release(self, place: Place) -> None:
        """Give back a place that `find` held."""
        self._running[place.host, place.model] -= 1

    async def generate(self, request: Request, place: Place) -> AsyncGenerator[Sequence[EngineFrame], None]:
        """Run `request` at `place`."""
        host = self._hosts.get(place.host)
        if host is None or host.incarnation != place.incarnation:
            raise HostLost(_gone(place.host))
        flight = Flight(place, asyncio.get_running_loop().create_future())
        self._flights.add(flight)
        try:
            steps = self._triton(host.grpc).generate(request, place.version, flight.lost)
            async with aclosing(steps):
                async for step in steps:
                    yield step
        except HostLost:
            self._suspects[host.name] = asyncio.get_running_loop().time() + _SUSPECT_S
            raise
        finally:
            self._flights.discard(flight)
            flight.lost.cancel()

    def _is_suspect(self, name: str) -> bool:
        """Whether a run was lost there a moment ago, so that what is reported of the host may be old."""
        return asyncio.get_running_loop().time() < self._suspects.get(name, 0.0)

    def _triton(self, address: str) -> Triton:
        if address not in self._tritons:
            self._tritons[address] = Triton(address, self._timeout_s)
        return self._tritons[address]

    async def _ask(self, url: str) -> None:
        try:
            models = await self._triton(url).models()
        except EngineFailed as error:
            if self._asked.pop(url, None):
                logger.warning("%s", error.message)
            return
        self._asked[url] = Host(name=url, grpc=url, http="", incarnation=url, models=models)
        try:
            await self._publish(self._asked[url])
        except InfernoError as error:
            logger.warning("the presence of %s can't be said: %s", url, error.message)

    def _tell_lost(self) -> None:
        """A host that no one reports may only have lost its agent; one in another life has lost what ran."""
        hosts = self._hosts
        for flight in list(self._flights):
            host = hosts.get(flight.place.host)
            if host is not None and not _lives(host, flight) and not flight.lost.done():
                flight.lost.set_result(_gone(host.name))


def _serves(model: HostedModel, request: Request) -> bool:
    return (
        model.name == request.model
        and model.version == (request.version or model.version)
        and model.state is ModelState.READY
    )


def _lives(host: Host, flight: Flight) -> bool:
    states = {model.version: model.state for model in host.models if model.name == flight.place.model}
    return (
        host.incarnation == flight.place.incarnation
        and states.get(flight.place.version, ModelState.FAILED) is ModelState.READY
    )


def _gone(host: str) -> str:
    return f"The engine on {host} that ran this is gone; try again."
