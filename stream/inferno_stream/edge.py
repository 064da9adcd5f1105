"""What an API process sees of the token log: it submits requests and follows their words."""

from typing import Literal, Protocol

from msgspec import Struct

from inferno_core.records import Deadlines, Request, Surface, Tenant
from inferno_stream.follower import Follower, Sink

__all__ = ["Draft", "Edge", "Follower", "Sink"]


class Draft(Struct, frozen=True):
    """A request as the API has it, before the log gives it a place: id, reader and time are added here."""

    surface: Surface
    body: bytes
    model: str
    version: str
    tenant: Tenant
    seed: int
    n: int = 1
    max_tokens: int | None = None
    include_usage: bool = False
    deadlines: Deadlines = Deadlines()
    grace_s: float = 0.0
    store: Literal["none", "metadata", "full"] = "none"
    price: str = ""
    priority: int = 0
    trace: str = ""

    def request(self, id: str, reader: str, created_ms: int) -> Request:
        """Make the record that asks for it."""
        return Request(
            id=id,
            surface=self.surface,
            body=self.body,
            model=self.model,
            version=self.version,
            tenant=self.tenant,
            reader=reader,
            created_ms=created_ms,
            seed=self.seed,
            n=self.n,
            max_tokens=self.max_tokens,
            include_usage=self.include_usage,
            deadlines=self.deadlines,
            grace_s=self.grace_s,
            store=self.store,
            price=self.price,
            priority=self.priority,
            trace=self.trace,
        )


class Edge(Protocol):
    """An API process's handle on the log. `kafka_edge` is the real one, `fake` one that answers from a script."""

    async def start(self) -> None:
        """Begin to tail. Raises `Unavailable` if Kafka is away."""
        ...

    async def stop(self) -> None:
        """End, having told the log about the readers that left."""
        ...

    async def submit(self, draft: Draft, sink: Sink | None = None) -> Follower:
        """Ask for a generation and follow it: by the follower's `next`, or, given a `sink`, through that alone.

        Raises:
            Unavailable: if nothing was submitted, or if it is not known whether it was.

        """
        ...

    @property
    def waiting(self) -> int:
        """How many generations are followed here that no engine has taken yet."""
        ...

    @property
    def healthy(self) -> str | None:
        """None, or a sentence that says what is wrong."""
        ...
