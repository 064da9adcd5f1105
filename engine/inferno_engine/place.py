"""What all who work on one Triton share: its control, its repository, its processes, and the order of their work."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from inferno_engine import layout
from inferno_engine.control import Control
from inferno_engine.departures import Departures
from inferno_engine.gauges import Gauges
from inferno_engine.load_times import LoadTimes
from inferno_engine.processes import Processes


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, and how often they are looked at; all in seconds.

    A version may load for `load_timeout_s`, and be unloaded while what runs there goes on, for `drain_s`. Every
    `heartbeat_every_s` its backend is asked for a sign of life, every `canary_every_s` its engine; it is lost when the
    backend said nothing for `heartbeat_lost_s`. One that served for
    `settled_s` is brought back at once, others after pauses. A Triton that says nothing for `silence_s` hangs, unless
    it is so `young_s` that it may only be slow.
    """

    load_timeout_s: float = 900.0
    unload_timeout_s: float = 10.0
    drain_s: float = 3600.0
    canary_timeout_s: float = 30.0
    canary_every_s: float = 5.0
    heartbeat_every_s: float = 2.0
    heartbeat_timeout_s: float = 10.0
    heartbeat_lost_s: float = 20.0
    first_pause_s: float = 2.0
    longest_pause_s: float = 60.0
    settled_s: float = 10.0
    silence_s: float = 30.0
    young_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """One Triton, for its keepers.

    `loading` lets one new version be loaded at a time. A model's folder and its loads belong together: who changes the
    one and calls the other holds `shelves[name]`. `changed` is called when there is news.
    `departures` has the processes of engines that no keeper and no retirement looks after any more.
    """

    control: Control
    repository: Path
    processes: Processes
    departures: Departures
    load_times: LoadTimes
    changed: Callable[[], None]
    pace: Pace
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    shelves: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    gauges: dict[tuple[str, str], Gauges] = field(default_factory=dict[tuple[str, str], Gauges])

    async def take_out(self, name: str, version: str) -> None:
        """Take a version out of the repository and of service; what it has in hand goes on.

        Triton unloads a model with all its versions; where there are others, it is told to load what is left instead,
        which leaves those alone. Raises ControlFailed, and Unverified where nothing is to be taken out: see
        `layout.remove`.
        """
        async with self.shelves[name]:
            await asyncio.to_thread(layout.remove, name, version, self.repository)
            if any(other == name for other, _ in layout.laid_out(self.repository)):
                await self.control.load(name, self.pace.unload_timeout_s)
            else:
                await self.control.unload(name, self.pace.unload_timeout_s)
