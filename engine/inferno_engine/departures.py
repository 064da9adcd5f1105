"""Sees off the processes of engines that are out of service while nobody else looks after them.

Another process serves their version by now, or none does. They may say their last words, and then end by themselves:
one that hangs would keep its memory for ever.
"""

import asyncio
from collections.abc import Iterable

import psutil

from inferno_engine.processes import Processes, ended


class Departures:
    """Processes on their way out; each has `drain_s` for it."""

    def __init__(self, processes: Processes, drain_s: float) -> None:
        self._processes = processes
        self._drain_s = drain_s
        self._tasks: dict[psutil.Process, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        """How many are still there."""
        return len(self._tasks)

    def add(self, stubs: Iterable[psutil.Process]) -> None:
        """See them off, if that is not done already."""
        for stub in stubs:
            if stub not in self._tasks:
                self._tasks[stub] = asyncio.create_task(self._see_off(stub))

    async def dismiss(self) -> None:
        """Look after them no longer."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_off(self, stub: psutil.Process) -> None:
        try:
            async with asyncio.timeout(self._drain_s):
                await ended(stub)
        except TimeoutError:
            self._processes.kill([stub])
        finally:
            self._tasks.pop(stub, None)
