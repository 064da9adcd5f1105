"""Keeps one version serving: verify, lay out, load, prove, and again when it fails.

verifying ─▶ loading ─▶ proving ─▶ ready ──(canary fails)──▶ loading …
└───────────┴─────────┴──▶ failed ──(after a while)──▶ verifying …
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inferno_core.hosts import HostedModel, ModelState
from inferno_engine import layout
from inferno_engine.control import Control, ControlFailed, NoAnswer
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.layout import Verified
from inferno_engine.load_times import LoadTimes

_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, and how often they are looked at; all in seconds."""

    load_timeout_s: float = 900.0
    canary_timeout_s: float = 30.0
    canary_every_s: float = 5.0
    first_pause_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """What all keepers of one Triton share.

    `loading` lets one model be loaded at a time; `changed` is called when a keeper has news, `lost` when a version that
    served does so no longer, with all its generations.
    """

    control: Control
    repository: Path
    load_times: LoadTimes
    loading: asyncio.Lock
    changed: Callable[[], None]
    lost: Callable[[], None]
    pace: Pace


class Keeper:
    """Keeps `model` serving. `run` goes on until it is cancelled."""

    def __init__(self, model: DesiredModel, place: Place) -> None:
        self.model = model
        self._place = place
        self._state = ModelState.VERIFYING
        self._since = time.time()
        self._detail = ""
        self._verified: Verified | None = None

    @property
    def is_ready(self) -> bool:
        """Say whether the version serves."""
        return self._state is ModelState.READY

    def hosted(self) -> HostedModel:
        """Tell how this version stands."""
        verified = self._verified
        expected_s = 0.0
        if verified is not None:
            expected_s = self._place.load_times.expected_s(verified.fingerprint, synthetic=verified.synthetic)
        return HostedModel(
            name=self.model.name,
            version=self.model.version,
            state=self._state,
            since=self._since,
            expected_s=expected_s,
            detail=self._detail,
            context=verified.context if verified else 0,
            slots=verified.slots if verified else 0,
            fingerprint=verified.fingerprint if verified else "",
            default=self.model.default,
        )

    async def run(self) -> None:
        """Bring the version up, watch it, and bring it up again when it fails."""
        pause_s = self._place.pace.first_pause_s
        while True:
            try:
                await self._bring_up()
                pause_s = self._place.pace.first_pause_s
                await self._watch()
            except (Unverified, ControlFailed, OSError) as error:
                if self.is_ready:
                    self._place.lost()
                self._turn(ModelState.FAILED, str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def retire(self) -> None:
        """Take the version out of service. Raises ControlFailed.

        Triton unloads a model with all its versions; where there are others, it is told to load what is left instead.
        """
        name, place = self.model.name, self._place
        layout.remove(name, self.model.version, place.repository)
        if any(other == name for other, _ in layout.laid_out(place.repository)):
            await place.control.load(name, place.pace.load_timeout_s)
        else:
            await place.control.unload(name, place.pace.load_timeout_s)

    async def _bring_up(self) -> None:
        self._turn(ModelState.VERIFYING)
        verified = self._verified = await asyncio.to_thread(layout.verify, self.model)
        async with self._place.loading:
            self._turn(ModelState.LOADING)
            await self._load(verified)
        self._turn(ModelState.READY)

    async def _load(self, verified: Verified) -> None:
        """Load and prove, unless Triton serves just this already, as when only the agent was started anew."""
        place, begun = self._place, time.monotonic()
        changed = await asyncio.to_thread(layout.lay_out, verified, place.repository)
        missing = changed or self.model.key not in await place.control.ready()
        if missing:
            await place.control.load(self.model.name, place.pace.load_timeout_s)
        self._turn(ModelState.PROVING)
        await self._prove()
        if missing:
            place.load_times.remember(verified.fingerprint, time.monotonic() - begun)

    async def _watch(self) -> None:
        """Return, by raising ControlFailed, when the version no longer answers."""
        while True:
            await asyncio.sleep(self._place.pace.canary_every_s)
            if self.model.key not in await self._place.control.ready():
                raise ControlFailed("Triton serves it no longer.")
            await self._prove()

    async def _prove(self) -> None:
        """Have a token generated. Triton takes a version for ready whose process is dead, until it is retired."""
        control, pace = self._place.control, self._place.pace
        try:
            try:
                await control.prove(self.model.name, self.model.version, pace.canary_timeout_s)
            except NoAnswer:
                # All slots may be taken for longer than that; whoever refuses promptly is alive.
                await control.ping(self.model.name, self.model.version, pace.canary_timeout_s)
        except ControlFailed:
            await self.retire()
            raise

    def _turn(self, state: ModelState, detail: str = "") -> None:
        if state is not self._state:
            self._since = time.time()
        self._state, self._detail = state, detail
        self._place.changed()
