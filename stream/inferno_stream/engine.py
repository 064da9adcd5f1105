"""The worker's port to engines: where a request can run, how it is asked for, and who hears its frames."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from inferno_core.acceptance import History
from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Request


class HostLost(EngineFailed):
    """The run is gone, with its engine or its host: another one may do what this one can't."""


class HostLeft(HostLost):
    """The run is not to be had there, and no engine died of it: it was retired, or let go in time."""


class Place(Struct, frozen=True):
    """An engine with room for a request: its host, which life of it this is, and what it runs there.

    `slots` is how many choices are held there. `goes_on`: it can be given what was accepted. `runs`: it runs the
    request already, for whoever adopts it, and nothing is held.
    """

    host: str
    incarnation: str
    fingerprint: str
    model: str
    version: str
    slots: int = 1
    goes_on: bool = True
    runs: bool = False


class Claimed(Struct, frozen=True):
    """Where a former owner of `partition` had a request run."""

    partition: str
    host: str
    incarnation: str


class Order(Struct, frozen=True):
    """A request, in the name of the owner of `partition` under `epoch`; to be gone on with after `history`, if any.

    `trace` is the W3C traceparent of the span that asks, or empty.
    """

    request: Request
    partition: str
    epoch: int
    history: History | None = None
    trace: str = ""


class Receipt:
    """For frames that came together, at `at` in the loop's time. `on_settled` is called when none of them is needed
    from the engine's host any more.

    Whoever made it holds one count of `left`, so that it can't be settled before all frames were given.
    """

    __slots__ = ("_on_settled", "at", "left")

    def __init__(self, at: float, on_settled: Callable[[], None]) -> None:
        self.at = at
        self.left = 1
        self._on_settled = on_settled

    def settle(self) -> None:
        """One frame stands in the log, or will never be said."""
        self.left -= 1
        if not self.left:
            self._on_settled()


class Hearer(Protocol):
    """Who hears what a run says. Nothing comes after a frame with `final`, after `failed`, or once it was let go."""

    def heard(self, frame: EngineFrame, receipt: Receipt) -> None:
        """Take the next frame, and settle `receipt` once for it, in the order of the frames."""
        ...

    def failed(self, error: InfernoError) -> None:
        """Take the news that there will be no more: with `HostLost`, or `Unavailable` before any frame, another place
        may do better.
        """
        ...


class Flight(Protocol):
    """A run in the air."""

    @property
    def blocked(self) -> bool:
        """Whether the engine may not speak on until frames are settled."""
        ...

    def cancel(self) -> None:
        """End it on the engine."""
        ...

    def release(self) -> None:
        """Let it go: where the engine can, it runs on for a while, for another owner to adopt."""
        ...


class Engine(Protocol):
    """Engines as a worker sees them. `fleet` is the real one, `fake` one that answers from a script."""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when a place may have become free."""
        ...

    def find(self, request: Request, *, claimed: Claimed | None = None, goes_on: bool = False) -> Place | None:
        """Hold a place with room for `request` until it is released or used, or give None for now. Does no I/O.

        Where the request is still running at `claimed`, that is the place, as soon as its host has heard who owns
        the partition now. `goes_on` asks for a place that can be given what was accepted.
        """
        ...

    def release(self, place: Place) -> None:
        """Give back a place that `find` held, and that was not used."""
        ...

    def start(self, order: Order, place: Place, hearer: Hearer) -> Flight:
        """Begin, go on, or take over what runs there; uses the place, whatever comes of it.

        Raises:
            HostLost: if the place is no more.

        """
        ...

    def fence(self, partition: str, epoch: int) -> None:
        """From now on nobody of a lower epoch commands generations of `partition`, on any host."""
        ...

    def forget(self, partition: str) -> None:
        """Fence `partition` no longer at hosts that come."""
        ...
