"""Notices when a version that served does so no longer. Triton itself takes one for ready whose process is dead.

Three signs are looked for side by side: the end of its process, which the system tells at once where that is to be
seen; a backend that no longer answers; an engine that no longer does what it is for.
"""

import asyncio
import time
from typing import NamedTuple

import psutil

from inferno_engine.control import ControlFailed, NoAnswer
from inferno_engine.place import Place
from inferno_engine.processes import ended
from inferno_engine.side_by_side import side_by_side

# An answer can be wrong once; an engine that is dead is so again a moment later.
_HEARTBEATS_DEAD = 2
_CANARIES_DEAD = 3


class Watch(NamedTuple):
    """Watches one version. `task` is what its canary does; `stubs` are its processes, if they are to be seen."""

    name: str
    version: str
    task: str
    stubs: list[psutil.Process]
    place: Place

    async def until_lost(self) -> None:
        """Raise ControlFailed, with a sentence that says why, when the version no longer serves."""
        await side_by_side(self._process(), self._heart(), self._canary())

    async def _process(self) -> None:
        if not self.stubs:
            await asyncio.Event().wait()
        await side_by_side(*(ended(stub) for stub in self.stubs))
        raise ControlFailed("Its process has ended.")

    async def _heart(self) -> None:
        pace = self.place.pace
        heard, dead = time.monotonic(), 0
        while True:
            await asyncio.sleep(pace.heartbeat_every_s / (1 + dead))
            try:
                await self._beat()
                heard, dead = time.monotonic(), 0
            except NoAnswer:
                if time.monotonic() - heard > pace.heartbeat_lost_s:
                    raise
            except ControlFailed:
                dead += 1
                if dead == _HEARTBEATS_DEAD:
                    raise

    async def _beat(self) -> None:
        if (self.name, self.version) not in await self.place.control.ready():
            raise ControlFailed("Triton serves it no longer.")
        await self.place.control.ping(self.name, self.version, self.place.pace.heartbeat_timeout_s)

    async def _canary(self) -> None:
        dead = generated = 0
        while True:
            await asyncio.sleep(self.place.pace.canary_every_s)
            said, generated = generated, self._generated()
            if generated > said:
                # Who generates for others is alive, and has better to do.
                continue
            try:
                await self.place.control.prove(self.name, self.version, self.task, self.place.pace.canary_timeout_s)
                dead = 0
            except NoAnswer:
                # All slots may be taken for longer than that. Whether it lives, the heartbeat knows.
                continue
            except ControlFailed:
                dead += 1
                if dead == _CANARIES_DEAD:
                    raise

    def _generated(self) -> int:
        gauges = self.place.gauges.get((self.name, self.version))
        return gauges.generated if gauges else 0
