"""The connections of a fleet, one to each address; they are closed when nothing hangs on them any more."""

import asyncio
from collections import Counter
from collections.abc import Generator, Set
from contextlib import contextmanager

from inferno_stream.background import Tasks
from inferno_stream.triton import Triton


class Tritons:
    """Connections to Tritons. Unary calls get `timeout_s`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._open: dict[str, Triton] = {}
        self._held: Counter[str] = Counter()
        self._tasks = Tasks()

    def __contains__(self, address: str) -> bool:
        """Say whether there is a connection to that address."""
        return address in self._open

    def at(self, address: str) -> Triton:
        """Give the connection to that address."""
        if address not in self._open:
            self._open[address] = Triton(address, self._timeout_s)
        return self._open[address]

    @contextmanager
    def held(self, address: str) -> Generator[None]:
        """Keep the connection to that address."""
        self._held[address] += 1
        try:
            yield
        finally:
            self._held[address] -= 1

    def keep_only(self, known: Set[str]) -> None:
        """Close those that are neither to addresses that are known nor held: gRPC would try to reach them for ever."""
        self._held = +self._held
        for address in self._open.keys() - known - self._held.keys():
            self._tasks.spawn(self._open.pop(address).close())

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*(triton.close() for triton in self._open.values()))
        await self._tasks.cancel()
