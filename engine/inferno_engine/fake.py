"""A Triton's control for tests of whoever holds one: it serves what it is told to, and fails when it is told to."""

import asyncio
from pathlib import Path

from inferno_engine import layout
from inferno_engine.control import ControlFailed, NoAnswer


class FakeControl:
    """A Triton in memory, over a real `repository`. `failures` holds sentences with which the next loads fail; `mute`
    versions give no words, until they are out of service; `busy` models give them too late.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self.alive = True
        self.served: set[tuple[str, str]] = set()
        self.loads: list[str] = []
        self.unloads: list[str] = []
        self.failures: list[str] = []
        self.mute: set[tuple[str, str]] = set()
        self.busy: set[str] = set()
        self.pings = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def restart(self) -> None:
        """Begin a new life, in which nothing is loaded."""
        self.served.clear()

    async def live(self) -> bool:
        """Say whether it answers."""
        return self.alive

    async def ready(self) -> set[tuple[str, str]]:
        """Give what it serves."""
        return set(self.served)

    async def load(self, name: str, timeout_s: float) -> None:
        """Serve what the repository has of `name` once the gate is open."""
        await asyncio.wait_for(self.gate.wait(), timeout_s)
        self.loads.append(name)
        if self.failures:
            raise ControlFailed(self.failures.pop(0))
        self._serve(name, {key for key in layout.laid_out(self._repository) if key[0] == name})

    async def unload(self, name: str, timeout_s: float) -> None:
        """Serve `name` no longer."""
        self.unloads.append(name)
        self._serve(name, set())

    async def prove(self, name: str, version: str, timeout_s: float) -> None:
        """Generate, unless mute."""
        if name in self.busy:
            raise NoAnswer("Triton did not answer in time.")
        await self.ping(name, version, timeout_s)

    async def ping(self, name: str, version: str, timeout_s: float) -> None:
        """Refuse, unless mute."""
        self.pings += 1
        if (name, version) in self.mute or (name, version) not in self.served:
            raise ControlFailed("The canary generation gave no words.")

    async def close(self) -> None:
        """Leave."""

    def _serve(self, name: str, versions: set[tuple[str, str]]) -> None:
        self.served = {key for key in self.served if key[0] != name} | versions
        self.mute &= self.served
