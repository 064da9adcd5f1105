"""Makes the processes of this machine those of a table, and keeps them so."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Sequence

from inferno_core.errors import NotFound
from inferno_local.family import Family
from inferno_local.home import Home
from inferno_local.keeper import Keeper
from inferno_local.part import Part


class Supervisor:
    """Every process of one stack. Lives in the main thread's event loop."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._family = Family(home)
        self._keepers: dict[str, Keeper] = {}
        self._changing = asyncio.Lock()

    @property
    def keepers(self) -> Sequence[Keeper]:
        """What is supervised, in the table's order."""
        return tuple(self._keepers.values())

    async def apply(self, table: Sequence[Part]) -> bool:
        """Stop what the table has no more or otherwise, start what it has new. False: nothing was to be done."""
        async with self._changing:
            wanted = {part.name: part for part in table}
            gone = [
                keeper
                for name, keeper in self._keepers.items()
                if name not in wanted or not keeper.part.same_process(wanted[name])
            ]
            await self._stop(gone)
            new = [part for part in table if part.name not in self._keepers]
            for part in new:
                self._keepers[part.name] = Keeper(part, self._family, self._home)
            for part in new:
                self._keepers[part.name].start(self._keepers[name] for name in sorted(part.needs))
            self._keepers = {name: self._keepers[name] for name in wanted}
            # A task that is over comes and goes without anybody's noticing.
            return any(part.ready for part in (*(keeper.part for keeper in gone), *new))

    async def restart(self, name: str) -> None:
        """Restart one process in order. Raises `NotFound`, or `TimeoutError` if it does not come back."""
        keeper = self._keepers.get(name)
        if keeper is None or keeper.part.ready is None:
            known = ", ".join(keeper.part.name for keeper in self.keepers if keeper.part.ready)
            raise NotFound(f"There is no process {name!r} here. There are: {known}.")
        await keeper.restart()

    async def stop(self) -> None:
        """Stop everything, each process after those that need it."""
        async with self._changing:
            await self._stop(self.keepers)

    async def keep_undertaker(self) -> None:
        """Keep the process that buries what is left if this one is killed; ends it when cancelled."""
        argv = (sys.executable, "-m", "inferno_local.undertaker", str(self._home.root), str(os.getpid()))
        while True:
            undertaker = self._family.spawn_survivor(argv, self._home.log("supervisor"))
            try:
                await undertaker.exit()
            finally:
                undertaker.send(signal.SIGKILL)

    async def _stop(self, keepers: Iterable[Keeper]) -> None:
        stopped = {keeper.part.name: asyncio.Event() for keeper in keepers}

        async def stop(keeper: Keeper) -> None:
            for other in self.keepers:
                if keeper.part.name in other.part.needs | other.part.uses and other.part.name in stopped:
                    await stopped[other.part.name].wait()
            await keeper.stop()
            stopped[keeper.part.name].set()

        await asyncio.gather(*(stop(self._keepers[name]) for name in stopped))
        for name in stopped:
            del self._keepers[name]
