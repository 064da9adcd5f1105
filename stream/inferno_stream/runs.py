"""One run of a request on an engine: it holds a place there, passes frames on as they come, and knows its deadlines."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Failure, Final, Outcome, Request
from inferno_stream.engine import Engine, HostLost, Place

logger = logging.getLogger(__name__)


class Run:
    """Holds `place` for `request` until `stop`; once started, drives it there until its final frame or a failure.

    `on_step` gets the frames of each step; `on_end` is called once if the run ends by itself, with the failure if there
    was one. `room` is awaited between steps, and `max_held` frames may come before `spoken` is called: a log that is
    away slows the reading of an engine's words, it does not fill the memory.
    """

    def __init__(
        self,
        engine: Engine,
        request: Request,
        place: Place,
        on_step: Callable[[str, Sequence[EngineFrame]], None],
        on_end: Callable[[str, Final | None], None],
        room: Callable[[], Awaitable[None]],
        max_held: int,
    ) -> None:
        self.request = request
        self.place = place
        self._engine = engine
        self._on_step = on_step
        self._on_end = on_end
        self._room = room
        self._may_hold = max_held
        self._speaking = asyncio.Event()
        self._paused = False
        self._started = self._heard = math.inf
        self._given = False
        self._spoke = False
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin on the engine."""
        loop = asyncio.get_running_loop()
        self._started = self._heard = loop.time()
        self._task = loop.create_task(self._drive())

    def spoken(self) -> None:
        """What was held is told now, and frames need not be held any longer."""
        self._speaking.set()

    def stop(self) -> None:
        """Give back the place, and end what goes on there, unless it is over but for the stream's end.

        Nothing more is passed on. To be called once.
        """
        self._engine.release(self.place)
        if self._task is not None and not self._ended:
            self._task.cancel()
        self._ended = True

    def overdue(self, now: float) -> str | None:
        """Say which phase has lasted too long at `now`, in the loop's time."""
        deadlines = self.request.deadlines
        if self._paused:
            return None
        if not self._spoke and now - self._started > deadlines.first_token_s:
            return f"no first token came within {deadlines.first_token_s:g} s"
        if self._spoke and now - self._heard > deadlines.between_tokens_s:
            return f"no further token came within {deadlines.between_tokens_s:g} s"
        return None

    async def _drive(self) -> None:
        failure: InfernoError | None = None
        try:
            await self._pass_on_somewhere()
        except InfernoError as error:
            failure = error
        except Exception:
            logger.exception("a run failed", extra={"generation": self.request.id})
            failure = EngineFailed("The engine failed at this request; try again.")
        finally:
            failure = None if self._ended else failure or EngineFailed("The engine's answer broke off; try again.")
            self._ended = True
            self._on_end(self.request.id, _failed(failure))

    async def _pass_on_somewhere(self) -> None:
        """Run at the place; at another one, as long as hosts are lost before they gave anything."""
        while True:
            try:
                return await self._pass_on()
            except HostLost:
                if self._given or not self._move():
                    raise

    def _move(self) -> bool:
        """Hold another place instead, if there is one."""
        place = self._engine.find(self.request)
        if place is None:
            return False
        self._engine.release(self.place)
        self.place = place
        return True

    async def _pass_on(self) -> None:
        async with aclosing(self._engine.generate(self.request, self.place)) as steps:
            async for step in steps:
                self._given = True
                self._heard = asyncio.get_running_loop().time()
                self._spoke = self._spoke or any(frame.tokens for frame in step)
                self._ended = self._ended or any(frame.final is not None for frame in step)
                self._on_step(self.request.id, step)
                if not self._ended:
                    await self._pause(len(step))

    async def _pause(self, frames: int) -> None:
        """Wait while the log takes no more; the engine is not to blame for that time."""
        self._may_hold -= frames
        self._paused = True
        if self._may_hold <= 0:
            await self._speaking.wait()
        await self._room()
        self._paused = False
        self._heard = asyncio.get_running_loop().time()


def _failed(error: InfernoError | None) -> Final | None:
    if error is None:
        return None
    return Final(Outcome.FAILED, Failure(error.code, error.message, error.param))
