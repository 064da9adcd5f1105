"""The fleet's port to one model version on one host."""

from typing import NamedTuple, Protocol

from inferno_stream.engine import Flight, Hearer, Order, Place


class Line(Protocol):
    """A worker's way to one model version on one host. `session` has our backend's, `stock_line` the stock one's."""

    @property
    def goes_on(self) -> bool:
        """Whether it can be given what was accepted."""
        ...

    @property
    def life(self) -> str:
        """The life of the engine that it leads to."""
        ...

    @property
    def retired(self) -> bool:
        """Whether it has ended by itself."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether something can be begun there."""
        ...

    @property
    def running(self) -> int:
        """How many generations run there."""
        ...

    @property
    def free(self) -> int:
        """How many more choices it takes."""
        ...

    @property
    def unacknowledged_bytes(self) -> int:
        """How much was read and is kept by the host."""
        ...

    def hold(self, slots: int) -> None:
        """Keep room, until `start` or `drop`."""
        ...

    def drop(self, place: Place) -> None:
        """Keep the room of `place` no longer."""
        ...

    def runs(self, incarnation: str) -> bool | None:
        """Whether what was begun in that life may be adopted; None while that can't be told."""
        ...

    def has_fenced(self, partition: str) -> bool:
        """Whether the host has heard who owns the partition."""
        ...

    def fence(self, partition: str, epoch: int) -> None:
        """Tell the host who owns the partition."""
        ...

    def start(self, order: Order, place: Place, hearer: Hearer) -> Flight:
        """Run; raises `HostLost`."""
        ...

    def lose(self, reason: str) -> None:
        """What runs there is lost."""
        ...

    async def run(self) -> None:
        """Keep it up, until it retires or is closed."""
        ...

    async def close(self) -> None:
        """Leave; what runs there is lost."""
        ...


class Address(NamedTuple):
    """Where a line leads to. Another life of the host is another address."""

    host: str
    incarnation: str
    grpc: str
    model: str
    version: str
