"""A worker's session on one model version of one host: all its generations there share one way out (docs/engine.md).

The host's messages are read from an *attach*; commands go to it by a *control* stream. What is unacknowledged comes
again after a break, and is given on once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import grpc.aio
from msgspec import DecodeError

from inferno_core import session as wire
from inferno_core.errors import EngineFailed
from inferno_core.session import (
    Ack,
    Attach,
    Cancel,
    Fence,
    Message,
    Release,
)
from inferno_stream import background, commands, tensors
from inferno_stream.control import Control
from inferno_stream.engine import Hearer, HostLeft, HostLost, Order, Place
from inferno_stream.hearers import Hearers
from inferno_stream.triton import Triton
from inferno_stream.unacknowledged import Unacknowledged

logger = logging.getLogger(__name__)

WINDOW_BYTES = 8 << 20
_TICK_S = 0.5
_SILENT_TICKS = 6
"""Heartbeats come each second. Ticks, and not time, are counted: a process that was stopped has not listened."""
_MEND_S = 3.0
"""For how long a broken session is tried again before its generations go elsewhere."""
_PAUSE_S = 0.1
_IDLE_PAUSE_S = 1.0
_ACK_S = 0.2


class _Refused(Exception):
    """The host lives and does not take this session: the model is not there, or its process is dead."""


class SessionFlight:
    """A generation of this session, by its handle."""

    __slots__ = ("_handle", "_session")

    def __init__(self, session: "Session", handle: int) -> None:
        self._session = session
        self._handle = handle

    @property
    def blocked(self) -> bool:
        """Whether the host may not speak on until frames are settled."""
        return self._session.blocked

    def cancel(self) -> None:
        """End it on the engine."""
        self._session.cancel(self._handle)

    def release(self) -> None:
        """Let it run on for a while, for another owner to adopt."""
        self._session.release(self._handle)


class Session:
    """Drives generations of one model version on the host that `triton` reaches.

    `name` is what hosts know this worker by, `handles` gives numbers that were never used, `fences` has the partitions
    that this worker owns and their epochs. `changed` is called when there may be room, `on_lost` when the host was.
    `life` names the process of the backend.
    """

    goes_on = True

    def __init__(
        self,
        triton: Triton,
        model: str,
        version: str,
        *,
        name: str,
        handles: Iterator[int],
        fences: Mapping[str, int],
        changed: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.life = ""
        self.retired = False
        self._triton = triton
        self._model = model
        self._version = version
        self._name = name
        self._handles = handles
        self._fences = fences
        self._changed = changed
        self._on_lost = on_lost
        self._control = Control(name, self._command_stream, self._refused)
        self._control.before_batch = self._acknowledge
        self._outbox = self._control.outbox
        self._unacknowledged = Unacknowledged(self._settled)
        self._ack_timer: asyncio.TimerHandle | None = None
        self._hearers = Hearers()
        self._held = 0
        self._room = 0
        self._heard = 0
        self._open = False
        self._closing = False
        self._call: Any = None
        self._cut = False
        self._ticks = 0
        self._broken_at: float | None = None

    # As a line of the fleet.

    @property
    def is_open(self) -> bool:
        """Whether the host listens and speaks."""
        return self._open and not self._closing

    @property
    def running(self) -> int:
        """How many generations run here."""
        return len(self._hearers)

    @property
    def unacknowledged_bytes(self) -> int:
        """How much was read and not acknowledged."""
        return self._unacknowledged.size_bytes

    @property
    def blocked(self) -> bool:
        """Whether the host may soon say no more, since the log lags. Acknowledgements go out far sooner else."""
        return self._unacknowledged.size_bytes > WINDOW_BYTES // 2

    @property
    def free(self) -> int:
        """How many more choices the host takes, those that it was promised and has not heard of taken away."""
        return max(0, self._room - self._outbox.slots - self._held) if self.is_open else 0

    def hold(self, slots: int) -> None:
        """Keep room for so many choices, until `start` or `drop`."""
        self._held += slots

    def drop(self, place: Place) -> None:
        """Keep it no longer. What was kept in another life of the backend is forgotten already."""
        if place.incarnation == self.life:
            self._held = max(0, self._held - place.slots)

    def runs(self, incarnation: str) -> bool | None:
        """Whether what was begun in that life of the backend may still run; None while that can't be told."""
        return None if not self.life else self.life == incarnation and (self._open or None)

    def has_fenced(self, partition: str) -> bool:
        """Whether the host has heard who owns the partition."""
        return self._outbox.fenced.get(partition) == self._fences.get(partition, -1)

    def fence(self, partition: str, epoch: int) -> None:
        """Tell the host who owns the partition now."""
        if self._open:
            self._control.say(Fence(partition, epoch))

    def start(self, order: Order, place: Place, hearer: Hearer) -> SessionFlight:
        """Submit or adopt. Raises `HostLost` if the place is no more."""
        self.drop(place)
        if not self.is_open or self.life != place.incarnation:
            raise HostLeft("The engine that had room for this is gone; try again.")
        handle = next(self._handles)
        self._hearers[handle] = hearer
        self._control.say(commands.adopt(handle, order) if place.runs else commands.submit(handle, order))
        return SessionFlight(self, handle)

    def cancel(self, handle: int) -> None:
        """End a generation at the engine, unless it has ended."""
        if self._hearers.pop(handle, None):
            self._control.say(Cancel((handle,)))

    def release(self, handle: int) -> None:
        """Let a generation go. One that has ended is kept for its end, which may not stand in the log yet."""
        self._hearers.pop(handle, None)
        self._control.say(Release((handle,)))

    def lose(self, reason: str, kind: type[HostLost] = HostLost) -> None:
        """What runs here is lost: its requests go elsewhere, and if the host knows better it stops them."""
        self._open = False
        self._room = 0
        if lost := self._hearers.lose(reason, kind):
            self._control.say(Cancel(lost))
            self._on_lost()

    async def close(self) -> None:
        """Say what was to be said, and leave; what runs is lost."""
        self._closing = True
        await self._control.close()
        self._cut_off()

    async def run(self) -> None:
        """Keep the session until the model retires, or until closed."""
        async with asyncio.TaskGroup() as group:
            control = group.create_task(self._control.run())
            watch = group.create_task(self._watch())
            await self._listen()
            self.lose("The engine left while it ran this; try again.", HostLeft)
            await self._control.close()
            control.cancel()
            watch.cancel()

    # Listening.

    async def _listen(self) -> None:
        while not self._closing and not background.is_cancelled():
            try:
                bye = await self._attach()
            except _Refused:
                bye = ""
                self._give_up()
            if bye == "retiring":
                self.retired = True
                return
            if bye != "rotate" and not self._closing:
                await self._pause()

    async def _attach(self) -> str:
        """Listen until the stream ends, and give the word with which the host left, or nothing."""
        said = Attach(self._name, self._unacknowledged.seen, WINDOW_BYTES)
        self._ticks = 0
        self._call = self._triton.stream(_once(self._request(wire.ATTACH_INPUT, wire.encode(said))))
        bye = ""
        try:
            async for response in self._call:
                if response.error_message:
                    raise _Refused
                self._ticks = 0
                for data in tensors.strings(tensors.outputs(response.infer_response).get(wire.MESSAGE_OUTPUT, b"")):
                    bye = self._read(wire.decode_message(data), len(data)) or bye
        except grpc.aio.AioRpcError as error:
            logger.info("the session at %s broke: %s", self._triton.address, error.code().name)
        except (DecodeError, EngineFailed) as error:
            logger.warning("the host at %s can't be understood: %s", self._triton.address, error)
            self._give_up()
        except asyncio.CancelledError:
            if not self._cut:
                raise
            self._cut = False
        finally:
            if not self._call.done():
                self._call.cancel()
        return bye

    async def _pause(self) -> None:
        """After a break: try again at once, and for a while, before what runs is given up."""
        now = asyncio.get_running_loop().time()
        if self._broken_at is None:
            self._broken_at = now
        elif now - self._broken_at > _MEND_S:
            self._give_up()
        self._open = False
        await asyncio.sleep(_PAUSE_S if self._hearers else _IDLE_PAUSE_S)

    def _give_up(self) -> None:
        logger.warning("the engine's host at %s can't be reached", self._triton.address)
        self.lose("The engine's host can't be reached; try again.")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._ticks += self._call is not None and not self._call.done()
            if self._ticks >= _SILENT_TICKS:
                logger.warning("the host at %s is silent", self._triton.address)
                self._cut_off()
            self._control.tick()

    def _cut_off(self) -> None:
        self._ticks = 0
        if self._call is not None and not self._call.done():
            self._cut = True
            self._call.cancel()

    # Hearing.

    def _read(self, message: Message, size_bytes: int) -> str:
        if message.hello is not None:
            self._greet(message.hello.life, message.heard, fresh=message.hello.fresh)
        if message.heard >= self._heard:
            self._hear(message)
        number, seen = message.number, self._unacknowledged.seen
        if number and not seen:
            self._unacknowledged.begin(number - 1)
        elif number > seen + 1:
            raise EngineFailed(f"message {number} came after {seen}")
        if number > seen:
            now = asyncio.get_running_loop().time()
            self._hearers.give(message, self._unacknowledged.read(number, size_bytes, now))
        return message.bye

    def _greet(self, life: str, heard: int, *, fresh: bool) -> None:
        """The host takes this session: as it was, or as a new one, of which it remembers nothing."""
        if fresh or not self.life:
            # One that lives has only forgotten this worker, of whom it had not heard for long.
            kind = HostLeft if life == self.life else HostLost
            self.lose("The engine that ran this is gone; try again.", kind)
            self._unacknowledged.begin(0)
            self._control.begin(heard)
            self._heard = heard
            self._held = 0
        self.life = life
        was_open, self._open, self._broken_at = self._open, True, None
        if fresh or not was_open:
            for partition, epoch in self._fences.items():
                self._control.say(Fence(partition, epoch))

    def _hear(self, message: Message) -> None:
        news = self._control.heard(message.heard)
        if news or message.room > self._room:
            self._changed()
        self._heard, self._room = message.heard, message.room

    # Saying.

    def _settled(self) -> None:
        """More could be acknowledged: soon, or at once where the host may be short of credit."""
        if self._unacknowledged.settled_bytes > WINDOW_BYTES // 4:
            self._control.flush_soon()
        elif self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(_ACK_S, self._control.flush_soon)

    def _acknowledge(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        if (number := self._unacknowledged.acknowledge()) is not None:
            self._outbox.write(Ack(number))

    def _refused(self) -> None:
        """The host takes no commands: it may be leaving, and will say so, or else fall silent."""
        self._room = 0

    def _command_stream(self, batches: AsyncIterator[bytes]) -> Any:
        return self._triton.stream(self._requests(batches))

    async def _requests(self, batches: AsyncIterator[bytes]) -> AsyncIterator[tensors.Request]:
        async for data in batches:
            yield self._request(wire.COMMANDS_INPUT, data)

    def _request(self, name: str, data: bytes) -> tensors.Request:
        request = tensors.new_request(self._model, self._version, self._name)
        tensors.add_string(request, name, data)
        return request


async def _once(request: tensors.Request) -> AsyncIterator[tensors.Request]:
    """One request, and the sending side of the stream is closed."""
    yield request
