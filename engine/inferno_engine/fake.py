"""A Triton's control for tests of whoever holds one: it serves what it is told to, and fails when it is told to."""

import asyncio
from pathlib import Path

from inferno_engine import layout
from inferno_engine.control import ControlFailed, NoAnswer


class FakeControl:
    """A Triton in memory, over a real `repository`. `failures` holds sentences with which the next loads fail; `mute`
    versions give no words, until they are out of service; `busy` models give them too late; `draining` ones still have
    words to say when they are unloaded. While `unloading` is clear, unloading hangs.
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
        self.tasks: list[str] = []
        self.draining: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.unloading = asyncio.Event()
        self.unloading.set()

    def restart(self) -> None:
        """Begin a new life, in which nothing is loaded."""
        self.served.clear()

    async def live(self) -> bool:
        """Say whether it answers."""
        return self.alive

    async def ready(self) -> set[tuple[str, str]]:
        """Give what it serves."""
        return set(self.served)

    async def leaving(self) -> set[tuple[str, str]]:
        """Give the only version of each that drains, once it is unloaded."""
        return {(name, "1") for name in self.draining} - self.served

    async def load(self, name: str, timeout_s: float) -> None:
        """Serve what the repository has of `name` once the gate is open; what is there no more is unloaded at once."""
        wanted = {key for key in layout.laid_out(self._repository) if key[0] == name}
        if wanted - self.served:
            await self._until(self.gate, timeout_s)
        self.loads.append(name)
        if self.failures:
            raise ControlFailed(self.failures.pop(0))
        self._serve(name, wanted)

    async def unload(self, name: str, timeout_s: float) -> None:
        """Serve `name` no longer."""
        await self._until(self.unloading, timeout_s)
        self.unloads.append(name)
        self._serve(name, set())

    async def prove(self, name: str, version: str, task: str, timeout_s: float) -> None:
        """Generate, unless mute."""
        self.tasks.append(task)
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

    async def _until(self, event: asyncio.Event, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError as error:
            raise NoAnswer("Triton did not answer in time.") from error

    def _serve(self, name: str, versions: set[tuple[str, str]]) -> None:
        self.served = {key for key in self.served if key[0] != name} | versions
        self.mute &= self.served
