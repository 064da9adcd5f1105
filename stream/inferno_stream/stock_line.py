"""A model version that a host serves with Triton's stock backend: a stream for each generation."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc.aio

from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Request
from inferno_stream import tensors
from inferno_stream.background import Tasks
from inferno_stream.engine import Hearer, HostLost, Order, Place, Receipt
from inferno_stream.stock import StockContract
from inferno_stream.triton import Triton

logger = logging.getLogger(__name__)

_UNBOUNDED = 1 << 30
_WINDOW_FRAMES = 1024
"""How many frames of one generation may wait for the log; no more are read until it has taken some."""
_END_S = 5.0
_SUSPECT_S = 3.0
"""For how long nothing is offered where a run was lost: by then its agent has told what became of the host."""


class StockFlight:
    """A generation and its stream."""

    def __init__(self, hearer: Hearer) -> None:
        self.hearer = hearer
        self.lost: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._unsettled = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def blocked(self) -> bool:
        """Whether nothing is read until the log has taken some."""
        return not self._room.is_set()

    def cancel(self) -> None:
        """Cut the stream, at which the backend stops the engine's work; one that has ended is read to its end."""
        if self._task is not None and not self._ended:
            self._ended = True
            self._task.cancel()

    release = cancel
    """Nobody can adopt what runs here."""

    def lose(self, reason: str) -> None:
        """The engine is known to be gone."""
        if self._task is not None and not self._ended:
            self.lost = reason
            self._task.cancel()

    async def fly(self, triton: Triton, request: Request, version: str, trace: str) -> None:
        """Run `request` to its end, whatever that is, and tell of it. Triton goes on with `trace`, where it traces."""
        self._task = asyncio.current_task()
        failure: InfernoError | None = None
        try:
            await self._read(triton, request, version, trace)
        except grpc.aio.AioRpcError as error:
            failure = triton.failed(error)
            self.lost = failure.message
        except InfernoError as error:
            failure = error
        except asyncio.CancelledError:
            if self.lost is None:
                return
            failure = HostLost(self.lost)
        except Exception:
            logger.exception("a run failed", extra={"facts": {"generation_id": request.id}})
            failure = EngineFailed("The engine failed at this request; try again.")
        if not self._ended:
            self._ended = True
            self.hearer.failed(failure or EngineFailed("The engine's answer broke off; try again."))

    async def _read(self, triton: Triton, request: Request, version: str, trace: str) -> None:
        contract = StockContract(request)
        asked = tensors.new_request(request.model, version, request.id)
        contract.ask(asked)
        call = triton.stream(_once(asked), trace)
        try:
            async for message in call:
                await self._give(contract, message)
                if self._ended:
                    # To cut a stream after its last response would leave the model in Triton's hands for ever.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(_drain(call), _END_S)
                    return
        finally:
            if not call.done():
                call.cancel()

    async def _give(self, contract: StockContract, message: Any) -> None:
        if message.error_message:
            # Triton's own words are not shown: they name files and addresses of its host.
            raise EngineFailed("The engine refused this request; see the log of its host.")
        response = message.infer_response
        for frame in contract.read(tensors.outputs(response), last=tensors.is_final(response)):
            self._ended = frame.final is not None
            self._unsettled += 1
            self.hearer.heard(frame, Receipt(asyncio.get_running_loop().time(), self._settled))
        if self._unsettled >= _WINDOW_FRAMES:
            self._room.clear()
            await self._room.wait()

    def _settled(self) -> None:
        self._unsettled -= 1
        self._room.set()


class StockLine:
    """Runs generations of one model version on the host that `triton` reaches, `slots` at once (0: as many as come)."""

    goes_on = False
    retired = False
    unacknowledged_bytes = 0

    def __init__(self, triton: Triton, version: str, incarnation: str, slots: int) -> None:
        self.life = incarnation
        self._triton = triton
        self._version = version
        self._slots = slots or _UNBOUNDED
        self._held = 0
        self._flights: set[StockFlight] = set()
        self._tasks = Tasks()
        self._suspect_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether runs may be offered: not just after one was lost."""
        return asyncio.get_running_loop().time() >= self._suspect_until

    @property
    def running(self) -> int:
        """How many generations run here."""
        return len(self._flights)

    @property
    def free(self) -> int:
        """How many more may run."""
        return self._slots - self._held - len(self._flights) if self.is_open else 0

    def hold(self, slots: int) -> None:
        """Keep room for a run, until `start` or `drop`."""
        self._held += slots

    def drop(self, place: Place) -> None:
        """Keep it no longer."""
        if place.incarnation == self.life:
            self._held = max(0, self._held - place.slots)

    def runs(self, incarnation: str) -> bool | None:
        """Whether a run of that life can be adopted: never."""
        return False

    def has_fenced(self, partition: str) -> bool:
        """Whether the host knows who owns the partition: never."""
        return False

    def fence(self, partition: str, epoch: int) -> None:
        """Nobody is told: the stock backend knows no owners."""

    def start(self, order: Order, place: Place, hearer: Hearer) -> StockFlight:
        """Begin."""
        self.drop(place)
        flight = StockFlight(hearer)
        self._flights.add(flight)
        self._tasks.spawn(self._fly(flight, order))
        return flight

    def lose(self, reason: str) -> None:
        """What runs here is lost."""
        for flight in list(self._flights):
            flight.lose(reason)

    async def run(self) -> None:
        """There is nothing to keep up."""

    async def close(self) -> None:
        """Cut all streams."""
        await self._tasks.cancel()

    async def _fly(self, flight: StockFlight, order: Order) -> None:
        try:
            await flight.fly(self._triton, order.request, self._version, order.trace)
        finally:
            self._flights.discard(flight)
            if flight.lost is not None:
                self._suspect_until = asyncio.get_running_loop().time() + _SUSPECT_S


async def _once(request: tensors.Request) -> AsyncIterator[tensors.Request]:
    """One request, and the sending side of the stream is closed."""
    yield request


async def _drain(call: Any) -> None:
    async for _ in call:
        pass
