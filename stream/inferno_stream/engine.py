"""The worker's port to engines: where a request can run, and the frames of its run."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from msgspec import Struct

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed
from inferno_core.records import Request


class HostLost(EngineFailed):
    """The engine's host is gone or can't be reached: another one may do what this one can't."""


class Place(Struct, frozen=True):
    """An engine with room for a request: its host, which life of it this is, and what it runs there."""

    host: str
    incarnation: str
    fingerprint: str
    model: str
    version: str


class Engine(Protocol):
    """Engines as a worker sees them. `fleet` is the real one, `fake` one that answers from a script."""

    def find(self, request: Request) -> Place | None:
        """Hold a place with room for `request` until it is released, or give None for now. Does no I/O."""
        ...

    def release(self, place: Place) -> None:
        """Give back a place that `find` held."""
        ...

    def generate(self, request: Request, place: Place) -> AsyncGenerator[Sequence[EngineFrame], None]:
        """Run `request` and give its frames, several at once where they came so; the last one has `final`.

        Closing the generator ends the run on the engine.

        Raises:
            HostLost: if the host is gone; it is not offered again for a while.
            InfernoError: if the engine refuses the request, or fails at it.

        """
        ...
