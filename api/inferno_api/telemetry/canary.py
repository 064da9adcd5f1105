"""Whether the platform answers, which only an answer proves: words that anybody gets, or else a canary generation.

Where nobody asks for a while, one token is asked for through the whole path, with the platform's own tenant and behind
everybody else. A busy platform is proven by its own work, so that no canary waits in a full queue.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from inferno_api import failures
from inferno_api.admission import Admission
from inferno_api.catalogue import Catalogue
from inferno_api.surfaces import SURFACES
from inferno_api.telemetry.metrics import Metrics
from inferno_core.errors import DeadlineExceeded, InfernoError
from inferno_core.hosts import HostedModel
from inferno_core.keys import Key
from inferno_core.records import Deadlines, Surface, Tenant
from inferno_core.settings import ApiSettings
from inferno_stream.edge import Draft, Edge, Follower

_NOBODY = "00000000-0000-0000-0000-000000000000"
PLATFORM = Tenant(_NOBODY, _NOBODY, _NOBODY)
"""Who asks for canaries: the platform itself, which pays nobody."""

_LAST = 1 << 20
"""Behind everybody else."""

_LOOK_S = 0.25
_PAUSE_S = 1.0
_SONG = "The canary sings:"
_ASKED: dict[Surface, dict[str, object]] = {
    "chat": {"messages": [{"role": "user", "content": _SONG}], "max_completion_tokens": 1},
    "completion": {"prompt": _SONG, "max_tokens": 1},
    "embedding": {"input": _SONG},
}

_log = logging.getLogger(__name__)


class Canary:
    """Knows when the platform last answered. Times are of `clock`, that of exchanges, in seconds."""

    def __init__(
        self,
        edge: Edge,
        catalogue: Catalogue,
        metrics: Metrics,
        settings: ApiSettings,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._edge = edge
        self._catalogue = catalogue
        self._metrics = metrics
        self._every_s = settings.canary_every_s
        self._limit_s = settings.canary_limit_s
        limit = self._limit_s
        self._admission = Admission(catalogue, Deadlines(limit, limit, limit, limit))
        self._clock = clock
        self._sang: float | None = None
        self._asked: float | None = None
        self._trouble = ""

    @property
    def age_s(self) -> float | None:
        """How long ago the platform last answered; None if it has not yet."""
        proofs = [at for at in (self._sang, self._metrics.spoke) if at is not None]
        return self._clock() - max(proofs) if proofs else None

    def problem(self) -> str | None:
        """Say why the platform is not known to answer; None, if it is, or if no canary is wanted."""
        if not self._every_s:
            return None
        age_s = self.age_s
        if age_s is None:
            return f"waiting for the first answer{self._why()}"
        if age_s > self._limit_s:
            return f"the last answer is {age_s:.0f} s old, and the limit is {self._limit_s:g} s{self._why()}"
        return None

    def _why(self) -> str:
        if self._trouble:
            return f": {self._trouble}"
        return f": a canary waits for {self._clock() - self._asked:.0f} s" if self._asked is not None else ""

    async def run(self) -> None:
        """Ask for a token whenever there was no answer for long, until cancelled."""
        while self._every_s:
            await asyncio.sleep(_LOOK_S)
            age_s, models = self.age_s, self._catalogue.serving()
            if models and (age_s is None or age_s >= self._every_s):
                await self._try(models[0])
                await asyncio.sleep(min(self._every_s, _PAUSE_S))

    async def _try(self, model: HostedModel) -> None:
        self._asked = self._clock()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._sing(model)
        except (InfernoError, TimeoutError) as error:
            trouble = (
                error.message if isinstance(error, InfernoError) else "no token came for a canary within the limit"
            )
            if trouble != self._trouble:
                _log.warning("the canary generation failed: %s", trouble)
            self._trouble = trouble
        else:
            self._sang, self._trouble = self._clock(), ""
        finally:
            self._asked = None

    async def _sing(self, model: HostedModel) -> None:
        follower = await self._edge.submit(self._draft(model))
        try:
            await _first_word(follower)
        finally:
            await follower.aclose()

    def _draft(self, model: HostedModel) -> Draft:
        kind = next(kind for kind in SURFACES if kind.surface in model.tasks)
        asked = msgspec.json.encode({"model": model.name, "temperature": 0, **_ASKED[kind.surface]})
        body = msgspec.json.decode(asked, type=kind.body)
        draft = self._admission.draft(kind.surface, body, Key(tenant=PLATFORM, prefix="canary"))
        return replace(draft, priority=_LAST)


async def _first_word(follower: Follower) -> None:
    """Return at the first token, or at an end that is a good one; raises what the generation failed of."""
    while True:
        try:
            frames = await follower.next(1.0)
        except StopAsyncIteration as error:
            raise DeadlineExceeded("A canary generation ended without a word.") from error
        for frame, index in frames:
            if frame.final is not None:
                failures.raise_if_failed(frame.final)
            if index >= 0 or frame.final is not None:
                return
