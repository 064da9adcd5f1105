"""Keeps one version serving: verify, lay out, load, prove, and again when it fails.

verifying ─▶ loading ─▶ proving ─▶ ready ──(it is lost)──▶ failed ──(at once)──▶ verifying …
└───────────┴─────────┴──▶ failed ──(after a while)──▶ verifying …
"""

import asyncio
import logging
import time
import uuid

import msgspec
import psutil

from inferno_core.hosts import HostedModel, ModelState
from inferno_engine import layout
from inferno_engine.control import ControlFailed, NoAnswer
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.gauges import Gauges
from inferno_engine.layout import Verified
from inferno_engine.place import Place
from inferno_engine.watch import Watch

_log = logging.getLogger(__name__)
_TRIED_AGAIN = 2
_PROOFS = 3
_AGAIN_S = 1.0
_FORESEEN = (Unverified, ControlFailed, OSError)
_ON_THE_WAY = frozenset({ModelState.VERIFYING, ModelState.LOADING, ModelState.PROVING})


class Keeper:
    """Keeps `model` serving. `run` goes on until it is cancelled. `found`: Triton has it already, as when only the
    agent was started anew; then it counts as ready while that is looked at.
    """

    def __init__(self, model: DesiredModel, place: Place, *, found: bool = False) -> None:
        self.model = model
        self.stubs: list[psutil.Process] = place.processes.newest_stub(*model.key) if found else []
        self._place = place
        self._found = self._has_served = found
        self._state = ModelState.READY if found else ModelState.VERIFYING
        self._since = time.time()
        self._detail = ""
        self._life = _life(self.stubs)
        self._verified: Verified | None = None
        self._failed_again = 0

    @property
    def state(self) -> ModelState:
        """How the version stands."""
        return self._state

    @property
    def is_ready(self) -> bool:
        """Say whether the version serves."""
        return self._state is ModelState.READY

    @property
    def is_stuck(self) -> bool:
        """Say whether it served in this life of Triton, and could not be brought back there."""
        return self._failed_again >= _TRIED_AGAIN

    def hosted(self) -> HostedModel:
        """Tell how this version stands."""
        verified = self._verified
        told = HostedModel(
            name=self.model.name,
            version=self.model.version,
            state=self._state,
            since=self._since,
            detail=self._detail,
            tasks=self.model.tasks,
            modalities=self.model.modalities,
            default=self.model.default,
            life=self._life,
        )
        if verified is None:
            return told
        gauges = self._place.gauges.get(self.model.key, Gauges()) if self.is_ready else Gauges()
        return msgspec.structs.replace(
            told,
            expected_s=self._place.load_times.expected_s(verified.fingerprint, synthetic=verified.synthetic),
            context=verified.context,
            slots=verified.slots,
            fingerprint=verified.fingerprint,
            adapters=tuple(verified.adapters),
            running=gauges.running,
            waiting=gauges.waiting,
            kv_cache_usage=gauges.kv_cache_usage,
        )

    async def run(self) -> None:
        """Bring the version up, watch it, and bring it up again when it fails."""
        pace = self._place.pace
        pause_s = 0.0
        while True:
            begun = time.monotonic()
            try:
                await self._bring_up()
                begun = time.monotonic()
                await Watch(*self.model.key, self.model.tasks[0], self.stubs, self._place).until_lost()
            except Exception as error:
                served = self.is_ready and time.monotonic() - begun > pace.settled_s
                await self._fail(error)
                # One that served for a while is brought back at once; one that fails again and again can wait.
                pause_s = 0.0 if served else min(max(2 * pause_s, pace.first_pause_s), pace.longest_pause_s)
                await asyncio.sleep(pause_s)

    async def _bring_up(self) -> None:
        self._turn(ModelState.VERIFYING)
        verified = self._verified = await asyncio.to_thread(layout.verify, self.model)
        if self._has_served:
            # It has its place already; what is loaded for the first time waits, or is waited for, elsewhere.
            await self._load(verified)
        else:
            async with self._place.loading:
                await self._load(verified)
        self._found, self._has_served, self._failed_again = False, True, 0
        self._turn(ModelState.READY)

    async def _load(self, verified: Verified) -> None:
        """Load and prove, unless Triton serves just this already: then whoever watches it will see how it does."""
        place, begun = self._place, time.monotonic()
        self._turn(ModelState.LOADING)
        async with place.shelves[self.model.name]:
            missing = self.model.key not in await place.control.ready()
            if missing:
                await asyncio.to_thread(layout.check_room, verified, place.repository)
            missing |= await asyncio.to_thread(layout.lay_out, verified, place.repository)
            if not missing:
                self.stubs = place.processes.newest_stub(*self.model.key)
                self._life = _life(self.stubs)
                return
            await self._have_loaded()
        self._turn(ModelState.PROVING)
        await self._prove()
        place.load_times.remember(verified.fingerprint, time.monotonic() - begun)

    async def _have_loaded(self) -> None:
        self._found = False
        self._turn(ModelState.LOADING)
        processes = self._place.processes
        before = processes.stubs(*self.model.key)
        try:
            await self._wait_for_load()
        finally:
            # Whatever becomes of the load, these are its processes, and no other's.
            self.stubs = [stub for stub in processes.stubs(*self.model.key) if stub not in before]
            self._place.departures.add(before)
            self._life = _life(self.stubs) or uuid.uuid4().hex

    async def _wait_for_load(self) -> None:
        """Have it loaded; where the connection breaks meanwhile, Triton goes on, and so does this."""
        timeout_s = self._place.pace.load_timeout_s
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                await self._place.control.load(self.model.name, left_s)
            except NoAnswer:
                await asyncio.sleep(min(_AGAIN_S, max(0.0, deadline - time.monotonic())))
            else:
                return
        raise ControlFailed(f"It was not loaded within {timeout_s:.0f} s.")

    async def _prove(self) -> None:
        """Have it do what it is for, once. A machine that is busy with its load may need more than one try."""
        place = self._place
        for left in reversed(range(_PROOFS)):
            try:
                await place.control.prove(*self.model.key, self.model.tasks[0], place.pace.canary_timeout_s)
            except NoAnswer:
                if not left:
                    raise
            else:
                return

    async def _fail(self, error: Exception) -> None:
        """Say so, and clear away what is left, so that it neither keeps memory nor hinders other versions' loads."""
        self._warn("failed", error)
        self._found = False
        if self._has_served and not self.is_ready and isinstance(error, ControlFailed):
            self._failed_again += 1
        self._turn(ModelState.FAILED, str(error) if isinstance(error, _FORESEEN) else repr(error))
        # A process that hangs would never let itself be unloaded, nor end a load.
        self._place.processes.kill(self.stubs)
        self._place.departures.add(self._place.processes.stubs(*self.model.key))
        try:
            await self._place.take_out(*self.model.key)
        except Exception as another:
            self._warn("could not be cleared away", another)

    def _warn(self, what: str, error: Exception) -> None:
        """Log an error: whatever is odd about this version, the agent has others to look after."""
        _log.warning("%s:%s %s: %s", *self.model.key, what, error, exc_info=not isinstance(error, _FORESEEN))

    def _turn(self, state: ModelState, detail: str = "") -> None:
        if self._found and state in _ON_THE_WAY:
            return
        if state is not self._state:
            self._since = time.time()
        self._state, self._detail = state, detail
        self._place.changed()


def _life(stubs: list[psutil.Process]) -> str:
    """Name this life of an engine: by its process, so that another agent gives it the same name; "" if that is not
    to be seen.
    """
    return "-".join(f"{stub.pid}.{stub.create_time():.2f}" for stub in stubs)
