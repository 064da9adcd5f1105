"""The agent beside one Triton: makes what is desired true there, and tells everyone how it stands.

It is the only one that calls model control. One keeper looks after each desired version; the agent itself watches
Triton's life, the desired file, and publishes what its keepers say each second, and at once when something changes.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from inferno_core.errors import Unavailable
from inferno_core.hosts import Host
from inferno_engine import desired
from inferno_engine.control import Control, ControlFailed
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.keeper import Keeper, Pace, Place
from inferno_engine.load_times import LoadTimes

_log = logging.getLogger(__name__)
_TURN_S = 1.0

Publish = Callable[[Host], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Post:
    """Where an agent stands: the host's name and addresses as others reach it, and its own folders and files."""

    host: str
    grpc: str
    http: str
    repository: Path
    desired: Path
    state: Path


class Agent:
    """Serves what the desired file says on one Triton. `publish` may raise `Unavailable`: presence is told
    again a second later.
    """

    def __init__(self, post: Post, control: Control, publish: Publish, pace: Pace | None = None) -> None:
        self._post = post
        self._publish = publish
        self._control = control
        self._changed = asyncio.Event()
        self._keepers: dict[tuple[str, str], tuple[Keeper, asyncio.Task[None]]] = {}
        self._place = Place(
            control=control,
            repository=post.repository,
            load_times=LoadTimes(post.state / "load-times.json"),
            loading=asyncio.Lock(),
            changed=self._changed.set,
            lost=self._renew,
            pace=pace or Pace(),
        )
        self._incarnation = ""

    async def run(self) -> None:
        """Work until cancelled; then keepers stop, while Triton goes on serving."""
        try:
            while True:
                await self._turn()
                await self._tell()
                await self._wait()
        finally:
            await self._dismiss(list(self._keepers))

    @property
    def healthy(self) -> str | None:
        """Give None while Triton answers, else a sentence."""
        return None if self._incarnation else f"Triton at {self._post.grpc} does not answer."

    async def _turn(self) -> None:
        """Look at Triton and at what is desired, and see that the right keepers are at work."""
        for _, task in self._keepers.values():
            if task.done():
                # A keeper has no end of its own; what ended it ends the agent, which is then started anew.
                task.result()
        if not await self._control.live() or await self._begun_anew():
            # Whatever it served is gone; keepers begin anew with its next life.
            self._incarnation = ""
            await self._dismiss(list(self._keepers))
            return
        if not self._incarnation:
            self._incarnation = await self._identify()
        await self._follow(self._read())

    async def _begun_anew(self) -> bool:
        """Say whether Triton was away and back between two looks: it serves nothing of what was ready."""
        ready = {keeper.model.key for keeper, _ in self._keepers.values() if keeper.is_ready}
        try:
            return bool(ready) and not ready & await self._control.ready()
        except ControlFailed:
            return True

    def _read(self) -> list[DesiredModel]:
        try:
            return desired.read(self._post.desired)
        except Unverified as error:
            # What serves goes on serving; a broken file takes nothing down.
            _log.warning("%s", error)
            return [keeper.model for keeper, _ in self._keepers.values()]

    async def _follow(self, models: list[DesiredModel]) -> None:
        wanted = {model.key: model for model in models}
        for key in [key for key, (keeper, _) in self._keepers.items() if wanted.get(key) != keeper.model]:
            keeper = self._keepers[key][0]
            await self._dismiss([key])
            if key not in wanted:
                await self._retire(keeper)
        for key, model in wanted.items():
            if key not in self._keepers:
                keeper = Keeper(model, self._place)
                self._keepers[key] = (keeper, asyncio.create_task(keeper.run()))

    async def _retire(self, keeper: Keeper) -> None:
        """Take a version that is no longer wanted out of service."""
        try:
            await keeper.retire()
        except ControlFailed as error:
            _log.warning("%s:%s could not be retired: %s", *keeper.model.key, error)

    async def _dismiss(self, keys: list[tuple[str, str]]) -> None:
        tasks = [self._keepers.pop(key)[1] for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _identify(self) -> str:
        """Name this life of Triton: the recorded name if it still serves what was loaded, else a new one."""
        file = self._post.state / "incarnation"
        try:
            serving = await self._control.ready()
        except ControlFailed:
            serving = set[tuple[str, str]]()
        if serving and file.is_file():
            return file.read_text()
        self._renew()
        return self._incarnation

    def _renew(self) -> None:
        """Give this host another name of its life: what its engines had in hand is lost."""
        self._incarnation = uuid.uuid4().hex
        self._post.state.mkdir(parents=True, exist_ok=True)
        (self._post.state / "incarnation").write_text(self._incarnation)

    async def _tell(self) -> None:
        models = tuple(keeper.hosted() for keeper, _ in self._keepers.values())
        post = self._post
        host = Host(post.host, grpc=post.grpc, http=post.http, incarnation=self._incarnation, models=models)
        try:
            await self._publish(host)
        except Unavailable as error:
            _log.warning("Presence could not be published: %s", error)

    async def _wait(self) -> None:
        """Wait for a second, or until a keeper has news."""
        try:
            await asyncio.wait_for(self._changed.wait(), _TURN_S)
        except TimeoutError:
            return
        self._changed.clear()
