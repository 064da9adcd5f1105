"""What an agent has published, to be waited for."""

import asyncio
from collections.abc import Callable

from inferno_core.hosts import Host, HostedModel, ModelState


class Notices:
    """Takes what is published."""

    def __init__(self) -> None:
        self.last: Host | None = None
        self._came = asyncio.Condition()

    async def publish(self, host: Host) -> None:
        async with self._came:
            self.last = host
            self._came.notify_all()

    async def until(self, wanted: Callable[[Host], bool], timeout_s: float = 20) -> Host:
        try:
            async with asyncio.timeout(timeout_s), self._came:
                await self._came.wait_for(lambda: self.last is not None and wanted(self.last))
        except TimeoutError:
            raise AssertionError(f"It did not come to that: {self.last}") from None
        assert self.last is not None
        return self.last

    def version(self, number: str) -> HostedModel:
        """The model of that version that was told last."""
        assert self.last is not None
        return next(model for model in self.last.models if model.version == number)


def in_state(state: ModelState) -> Callable[[Host], bool]:
    return lambda host: [model.state for model in host.models] == [state]


def states(**wanted: ModelState) -> Callable[[Host], bool]:
    """Whether the versions named `v1`, `v2`, … stand so, and there are no others."""
    return lambda host: {f"v{model.version}": model.state for model in host.models} == wanted
