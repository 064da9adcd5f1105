"""Takes a version out of service that is no longer desired, and lets what runs there come to its end."""

import asyncio
import logging
import time

import msgspec

from inferno_core.hosts import HostedModel, ModelState
from inferno_engine.control import ControlFailed
from inferno_engine.errors import Unverified
from inferno_engine.keeper import Keeper
from inferno_engine.place import Place

_log = logging.getLogger(__name__)
_LOOK_S = 1.0


class Retirement:
    """The way out of one version, whose keeper's `work` was cancelled. `run` ends when it is gone."""

    def __init__(self, keeper: Keeper, work: asyncio.Task[None], place: Place) -> None:
        self._told = keeper.hosted()
        self._keeper = keeper
        self._work = work
        self._key = keeper.model.key
        self._since = time.time()
        self._place = place

    def hosted(self) -> HostedModel:
        """Tell how it stands."""
        return msgspec.structs.replace(self._told, state=ModelState.RETIRING, since=self._since, detail="")

    async def run(self) -> None:
        """Unload it, wait until its last words are said, and end its process if that takes too long."""
        await asyncio.wait([self._work])
        if self._told.state is not ModelState.READY:
            # Nothing runs there, and a load that is under way would be waited for.
            self._place.processes.kill(self._keeper.stubs)
        # Triton tells nobody when it is done: it has to be asked.
        while not await self._is_unloaded():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        deadline = time.monotonic() + self._place.pace.drain_s
        while await self._speaks() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        self._place.processes.kill(self._keeper.stubs)

    async def _is_unloaded(self) -> bool:
        try:
            await self._place.take_out(*self._key)
        except Unverified as error:
            # It never was in service.
            _log.warning("%s:%s is nothing that could be retired: %s", *self._key, error)
        except (ControlFailed, OSError) as error:
            _log.warning("%s:%s could not be retired: %s", *self._key, error)
            return False
        return True

    async def _speaks(self) -> bool:
        try:
            return self._key in await self._place.control.leaving()
        except ControlFailed:
            return True
