"""The agent beside one Triton: makes what is desired true there, and tells everyone how it stands.

It is the only one that calls model control. One keeper looks after each desired version, one retirement after each that
is so no longer; the agent itself watches Triton's life and the desired file. What all of them say is published each
second, and at once when something changes, whatever else is going on.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from inferno_core.errors import Unavailable
from inferno_core.hosts import Host
from inferno_engine import desired, layout, machine
from inferno_engine.control import Control, ControlFailed
from inferno_engine.departures import Departures
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.gauges import GaugesReader
from inferno_engine.keeper import Keeper
from inferno_engine.load_times import LoadTimes
from inferno_engine.place import Pace, Place
from inferno_engine.processes import Processes
from inferno_engine.retirement import Retirement
from inferno_engine.side_by_side import side_by_side

_log = logging.getLogger(__name__)
_TURN_S = 1.0
_GAUGES_S = 2.0

Key = tuple[str, str]
Publish = Callable[[Host], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Post:
    """Where an agent stands: the host's name and addresses as others reach it, and its own folders and files.

    `metrics` is where Triton's are ("": nowhere). `kills`: a Triton that serves nothing any more, because it hangs or
    can't load again what died in it, is killed; somebody starts it anew.
    """

    host: str
    grpc: str
    http: str
    repository: Path
    desired: Path
    state: Path
    metrics: str = ""
    kills: bool = False


class Agent:
    """Serves what the desired file says on one Triton. `publish` may raise `Unavailable`: presence is told
    again a second later.
    """

    def __init__(self, post: Post, control: Control, publish: Publish, pace: Pace | None = None) -> None:
        self._post = post
        self._publish = publish
        self._control = control
        self._gauges = GaugesReader(post.metrics)
        self._changed = asyncio.Event()
        self._keepers: dict[Key, tuple[Keeper, asyncio.Task[None]]] = {}
        self._retiring: dict[Key, tuple[Retirement, asyncio.Task[None]]] = {}
        pace = pace or Pace()
        processes = Processes(post.repository)
        self._place = Place(
            control=control,
            repository=post.repository,
            processes=processes,
            departures=Departures(processes, pace.drain_s),
            load_times=LoadTimes(post.state / "load-times.json"),
            changed=self._changed.set,
            pace=pace,
        )
        self._incarnation = ""
        self._known = asyncio.Event()
        self._server: psutil.Process | None = None
        self._heard = time.monotonic()

    async def run(self) -> None:
        """Work until cancelled; then keepers stop, while Triton goes on serving."""
        try:
            await side_by_side(self._look_after(), self._report(), self._read_gauges())
        finally:
            await self._dismiss()
            await self._gauges.close()

    @property
    def healthy(self) -> str | None:
        """Give None while Triton answers, else a sentence."""
        return None if self._incarnation else f"Triton at {self._post.grpc} does not answer."

    async def _look_after(self) -> None:
        while True:
            await self._turn()
            await asyncio.sleep(_TURN_S)

    async def _report(self) -> None:
        # An agent that has not looked yet must not be taken for a host that has lost all.
        await self._known.wait()
        while True:
            await self._tell()
            await self._news()

    async def _read_gauges(self) -> None:
        while True:
            self._place.gauges.update(await self._gauges.read())
            await asyncio.sleep(_GAUGES_S)

    async def _turn(self) -> None:
        """Look at Triton and at what is desired, and see that the right keepers are at work."""
        self._see_failures()
        if not await self._control.live():
            await self._endure_silence()
            return
        self._heard = time.monotonic()
        if await self._begun_anew():
            # Whatever it served is gone; keepers begin anew with its next life.
            await self._dismiss()
            return
        if self._is_stuck():
            self._kill("can't load again what died in it")
        try:
            found = set[Key]() if self._incarnation else await self._take_up()
        except ControlFailed as error:
            _log.warning("Triton at %s does not say what it serves: %s", self._post.grpc, error)
            return
        self._follow(await asyncio.to_thread(self._read), found)
        self._known.set()

    def _see_failures(self) -> None:
        """A keeper has no end of its own; what ended it ends the agent, which is then started anew."""
        for _, task in self._keepers.values():
            if task.done():
                task.result()
        for key, (_, task) in list(self._retiring.items()):
            if task.done():
                task.result()
                del self._retiring[key]
                self._changed.set()

    async def _endure_silence(self) -> None:
        """Wait while a Triton that runs may only be slow; what served is gone if it runs no longer, or for too long."""
        silent_s = time.monotonic() - self._heard
        if self._place.processes.server() is None or silent_s > self._place.pace.silence_s:
            await self._dismiss()
        if silent_s > self._place.pace.silence_s:
            self._kill(f"has not answered for {silent_s:.0f} s")

    def _is_stuck(self) -> bool:
        """Say whether a version that served can't be brought back, and no other would suffer if Triton were killed."""
        keepers = [keeper for keeper, _ in self._keepers.values()]
        unhurt = any(keeper.is_ready for keeper in keepers) or self._retiring or self._place.departures
        return not unhurt and any(keeper.is_stuck for keeper in keepers)

    def _kill(self, why: str) -> None:
        if self._post.kills and self._place.processes.kill_server(self._place.pace.young_s, time.time()):
            _log.error("Triton at %s %s, and was killed.", self._post.grpc, why)

    async def _begun_anew(self) -> bool:
        """Say whether Triton was away and back between two looks."""
        server = self._place.processes.server()
        if server is not None and self._server is not None:
            return server != self._server
        # From elsewhere it shows only in that nothing is served of what was ready.
        ready = {keeper.model.key for keeper, _ in self._keepers.values() if keeper.is_ready}
        try:
            return bool(ready) and not ready & await self._control.ready()
        except ControlFailed:
            return False

    def _read(self) -> list[DesiredModel]:
        try:
            return desired.read(self._post.desired)
        except Unverified as error:
            # What serves goes on serving; a broken file takes nothing down.
            _log.warning("%s", error)
            return [keeper.model for keeper, _ in self._keepers.values()]

    def _follow(self, models: Iterable[DesiredModel], found: set[Key]) -> None:
        """See that each desired version has its keeper, and each other that had one its retirement."""
        wanted = {model.key: model for model in models}
        for key, (keeper, task) in list(self._keepers.items()):
            model = wanted.get(key)
            if model is not None and model.serves_as(keeper.model):
                keeper.model = model
                continue
            task.cancel()
            del self._keepers[key]
            if model is None:
                retirement = Retirement(keeper, task, self._place)
                self._retiring[key] = (retirement, asyncio.create_task(retirement.run()))
        for key, model in wanted.items():
            if key not in self._keepers:
                keeper = Keeper(model, self._place, found=key in found)
                self._keepers[key] = (keeper, asyncio.create_task(keeper.run()))

    async def _dismiss(self) -> None:
        """Let go of everything: this life of Triton is over, or the agent's is."""
        self._incarnation, self._server = "", None
        tasks = [task for _, task in (*self._keepers.values(), *self._retiring.values())]
        self._keepers.clear()
        self._retiring.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._place.departures.dismiss()

    async def _take_up(self) -> set[Key]:
        """Name this life of Triton: as it was named, if it serves still what was loaded. Gives what that is."""
        file = self._post.state / "incarnation"
        serving = await self._control.ready()
        await asyncio.to_thread(layout.keep_only, serving, self._post.repository)
        if not (serving and file.is_file()):
            self._post.state.mkdir(parents=True, exist_ok=True)
            file.write_text(uuid.uuid4().hex)
        self._incarnation, self._server = file.read_text(), self._place.processes.server()
        return serving

    async def _tell(self) -> None:
        retiring = [retirement for key, (retirement, _) in self._retiring.items() if key not in self._keepers]
        models = [keeper.hosted() for keeper, _ in self._keepers.values()]
        post = self._post
        host = Host(
            post.host,
            grpc=post.grpc,
            http=post.http,
            incarnation=self._incarnation,
            models=(*models, *(retirement.hosted() for retirement in retiring)),
            **machine.look()._asdict(),
        )
        try:
            await self._publish(host)
        except Unavailable as error:
            _log.warning("Presence could not be published: %s", error)

    async def _news(self) -> None:
        """Wait for a second, or until a keeper has news."""
        try:
            # Not `wait_for`, which before Python 3.12 may swallow a cancellation.
            async with asyncio.timeout(_TURN_S):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()
