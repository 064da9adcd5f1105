"""The engines that a worker can reach: which hosts serve what, who has room, and who is lost."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import count

from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_core.records import Request
from inferno_stream.background import Tasks
from inferno_stream.engine import Claimed, Flight, Hearer, HostLeft, Order, Place
from inferno_stream.lines import Address, Line
from inferno_stream.metrics import Metrics
from inferno_stream.session import Session
from inferno_stream.stock_line import StockLine
from inferno_stream.tritons import Tritons

logger = logging.getLogger(__name__)

_REFRESH_S = 1.0
_ALIVE = (ModelState.READY, ModelState.RETIRING)


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
        metrics: Metrics,
    ) -> None:
        self._read_hosts = read_hosts
        self._publish = publish
        self._urls = urls
        self._metrics = metrics
        self._name = secrets.token_hex(8)
        self._handles = count(1)
        self._fences: dict[str, int] = {}
        self._reported: dict[str, Host] = {}
        self._asked: dict[str, Host] = {}
        self._tritons = Tritons(timeout_s)
        self._offered: dict[Address, HostedModel] = {}
        self._lines: dict[Address, Line] = {}
        self._opened: dict[Address, HostedModel] = {}
        self._opening: set[Address] = set()
        self._told: set[Address] = set()
        self._changed: Callable[[], None] = lambda: None
        self._tasks = Tasks()

    async def watch(self) -> None:
        """Keep knowing the hosts, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_S)

    async def refresh(self) -> None:
        """Ask agents and hosts once; open lines to what serves, and give up those to engines that are gone."""
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
        self._follow_hosts()
        self._count()

    async def close(self) -> None:
        """Leave all hosts."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        await self._tasks.cancel()
        await self._tritons.close()

    # As the workers' engine.

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when a place may have become free."""
        self._changed = changed

    def find(self, request: Request, *, claimed: Claimed | None = None, goes_on: bool = False) -> Place | None:
        """Hold a place where it runs already, or else with the most room."""
        if claimed is not None and (known := list(self._claimed(request, claimed))):
            return next((place for place in known if place is not None), None)
        offers = [
            (line.goes_on, line.free, address)
            for address, line in self._serving(request)
            if line.free > 0 and (line.goes_on or not goes_on)
        ]
        if not offers:
            return None
        # One with many choices may get more than is free: the engine lets the rest wait.
        *_, address = max(offers)
        line = self._lines[address]
        line.hold(request.slots)
        return self._place(address, line, slots=request.slots)

    def release(self, place: Place) -> None:
        """Give back a place that was not used."""
        line = self._line(place)
        if line is not None:
            line.drop(place)

    def start(self, order: Order, place: Place, hearer: Hearer) -> Flight:
        """Begin, go on, or adopt. Raises `HostLost`."""
        line = self._line(place)
        if line is None:
            raise HostLeft(_gone(place.host))
        return line.start(order, place, hearer)

    def fence(self, partition: str, epoch: int) -> None:
        """Name the owner of `partition` to every host, those that come later included."""
        self._fences[partition] = epoch
        for line in self._lines.values():
            line.fence(partition, epoch)

    def forget(self, partition: str) -> None:
        """Name the owner of `partition` no longer."""
        self._fences.pop(partition, None)

    def _serving(self, request: Request) -> Iterator[tuple[Address, Line]]:
        """Lines to what is offered, and is what the request asks for."""
        for address, line in self._lines.items():
            fits = address.model == request.model and address.version == (request.version or address.version)
            if fits and address in self._offered:
                yield address, line

    def _claimed(self, request: Request, claimed: Claimed) -> Iterator[Place | None]:
        """The place where it runs, or None for as long as there is something to be waited for."""
        for address, line in self._lines.items():
            if (address.host, address.model) == (claimed.host, request.model):
                runs = line.runs(claimed.incarnation)
                if runs and line.has_fenced(claimed.partition):
                    yield self._place(address, line, slots=0, runs=True)
                elif runs is not False:
                    yield None
        if any(address.host == claimed.host for address in self._opening):
            yield None

    def _place(self, address: Address, line: Line, *, slots: int, runs: bool = False) -> Place:
        return Place(
            host=address.host,
            incarnation=line.life,
            fingerprint=self._opened[address].fingerprint,
            model=address.model,
            version=address.version,
            slots=slots,
            goes_on=line.goes_on,
            runs=runs,
        )

    def _line(self, place: Place) -> Line | None:
        wanted = (place.host, place.model, place.version)
        for address, line in self._lines.items():
            if (address.host, address.model, address.version) == wanted:
                return line
        return None

    # Hosts that come and go.

    async def _ask(self, url: str) -> None:
        try:
            models = await self._tritons.at(url).models()
        except EngineFailed as error:
            if self._asked.pop(url, None):
                logger.warning("%s", error.message)
            return
        self._asked[url] = Host(name=url, grpc=url, http="", incarnation=url, models=models)
        try:
            await self._publish(self._asked[url])
        except InfernoError as error:
            logger.warning("the presence of %s can't be said: %s", url, error.message)

    def _follow_hosts(self) -> None:
        """Give up what is gone, and open what is new."""
        hosts = self._reported | self._asked
        used = {address.grpc for address in (*self._lines, *self._opening)}
        self._tritons.keep_only({host.grpc for host in hosts.values()} | used | set(self._urls))
        known = {
            Address(host.name, host.incarnation, host.grpc, model.name, model.version): model
            for host in hosts.values()
            for model in host.models
        }
        self._offered = {address: model for address, model in known.items() if model.state is ModelState.READY}
        for address, line in list(self._lines.items()):
            if self._is_gone(address, line, hosts.get(address.host), known.get(address)):
                self._give_up(address, line)
        self._told &= known.keys() | self._lines.keys()
        for address in self._offered.keys() - self._lines.keys() - self._opening:
            self._opening.add(address)
            self._tasks.spawn(self._open(address, self._offered[address]))

    def _is_gone(self, address: Address, line: Line, host: Host | None, model: HostedModel | None) -> bool:
        """Judge by what is reported. A host that no one reports may only have lost its agent, and one without a life
        may only be out of its agent's sight; what is in another life has lost what ran. Else a session knows best
        whether its engine lives.
        """
        if host is None or not host.incarnation:
            return not line.running
        if (host.incarnation, host.grpc) != (address.incarnation, address.grpc):
            return True
        opened = self._opened[address]
        if model is not None and model.life and opened.life:
            return model.life != opened.life
        return not line.goes_on and (model is None or model.state not in _ALIVE)

    def _give_up(self, address: Address, line: Line) -> None:
        del self._lines[address], self._opened[address]
        line.lose(_gone(address.host))
        self._tasks.spawn(self._close(address, line))

    async def _close(self, address: Address, line: Line) -> None:
        with self._tritons.held(address.grpc):
            await line.close()

    async def _open(self, address: Address, model: HostedModel) -> None:
        """Open a line and keep it up. What fails is tried again with the next refresh."""
        with self._tritons.held(address.grpc):
            try:
                line = await self._new_line(address, model)
            except InfernoError:
                return
            finally:
                self._opening.discard(address)
            self._lines[address], self._opened[address] = line, model
            self._tell()
            await line.run()
        if line.retired and self._lines.get(address) is line:
            del self._lines[address], self._opened[address]

    async def _new_line(self, address: Address, model: HostedModel) -> Line:
        triton = self._tritons.at(address.grpc)
        if await triton.has_sessions(address.model, address.version):
            return Session(
                triton,
                address.model,
                address.version,
                name=self._name,
                handles=self._handles,
                fences=self._fences,
                changed=self._tell,
                on_lost=self._metrics.lost_hosts.inc,
            )
        if address not in self._told:
            self._told.add(address)
            logger.warning(
                "model %s on %s has Triton's stock backend: it takes completions alone, without chat, tools, "
                "log-probabilities or several choices, and its generations end with their worker or engine",
                address.model,
                address.host,
            )
        return StockLine(triton, address.version, address.incarnation, model.slots)

    def _tell(self) -> None:
        self._changed()

    def _count(self) -> None:
        sessions = [line for line in self._lines.values() if line.goes_on]
        self._metrics.sessions.set(sum(line.is_open for line in sessions))
        self._metrics.unacknowledged_bytes.set(sum(line.unacknowledged_bytes for line in sessions))


def _gone(host: str) -> str:
    # Of hosts that have no name of their own, this is the address: not for clients.
    logger.warning("the engine on %s is gone", host)
    return "The engine that ran this is gone; try again."
