"""The engine's steps: one turn of an event loop for each, in a thread of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import uvloop

from inferno_backend.seam import Stats
from inferno_backend.vllm_engine.run import Seat
from inferno_backend.vllm_engine.tally import Tally
from inferno_core.errors import EngineFailed

if TYPE_CHECKING:
    from inferno_backend.vllm_engine.compat import EngineCoreOutputs
    from inferno_backend.vllm_engine.core import Core

_log = logging.getLogger(__name__)
_CLOSE_S = 5.0
_PING_S = 0.5
DEAD = "The engine's core process ended, or can't be reached any more; load the model again."


class Steps:
    """Tells seats what they gained in each step, and `stepped` that it is over.

    Whatever goes wrong with one of them ends its generation alone.
    """

    def __init__(self, core: "Core", stats: Stats) -> None:
        self._dead: str | None = None
        self.stepped: Callable[[], None] = _nobody
        self._core = core
        self._stats = stats
        self._tally = Tally(stats, core.preemption, core.scheduling)
        self._seats: dict[str, Seat] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine-steps", daemon=True)

    @property
    def dead(self) -> str | None:
        """None until the core is gone: all seats fail then. Its client knows that a while before its outputs end."""
        return self._dead or (DEAD if self._core.errored else None)

    def begin(self) -> None:
        """Begin to step; returns when the core has told what it can do."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._core.settle(), self._loop).result()
        for work in (self._steps(), self._pings()):
            self._call(self._begin, work)

    def submit(self, seats: Sequence[Seat]) -> None:
        """Ask the engine; from any thread."""
        self._call(lambda: self._begin(self._submit(seats)))

    def abort(self, ids: Sequence[str]) -> None:
        """Free seats that nobody wants any more, running or waiting ones; from any thread."""
        self._call(lambda: self._begin(self._abort(ids)))

    def count_into(self, stats: Stats) -> None:
        """Write gauges there from now on."""
        self._stats = stats
        self._tally = Tally(stats, self._core.preemption, self._core.scheduling)

    def close(self) -> None:
        """Stop stepping; the core's processes are not touched."""
        self._dead = self.dead or "The model is being unloaded."
        if self._thread.is_alive():
            self._call(self._stop)
            self._thread.join(_CLOSE_S)

    def _call(self, what: Callable[..., Any], *given: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *given)
        except RuntimeError:
            # The loop is closed: nothing is left to be done there.
            _log.debug("The engine was asked for something after its end.")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._loop.call_soon(self._loop.stop)

    async def _submit(self, seats: Sequence[Seat]) -> None:
        if self.dead is not None:
            self._fail(seats)
            return
        for place, seat in enumerate(seats):
            if seat.over:
                return
            self._seats[seat.id] = seat
            try:
                self._core.outputs.add_request(seat.request, None, None, seat.place, None)
                await self._core.client.add_request_async(seat.request)
            except Exception:
                # All seats of a submission are of one run, which can't go on without this one.
                _log.exception("The engine's core took no request.")
                self._fail(seats[place:])
                return
        self._tally.asked(time.monotonic())

    async def _abort(self, ids: Sequence[str]) -> None:
        for id in ids:
            self._seats.pop(id, None)
        known = self._core.outputs.abort_requests(ids, internal=True)
        if known and self.dead is None:
            await self._core.client.abort_requests_async(known)

    async def _steps(self) -> None:
        client = self._core.client
        try:
            while True:
                finished = self._step(await client.get_output_async())
                if finished:
                    await client.abort_requests_async(finished)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("The engine is dead.")
            self._die()

    def _step(self, outputs: "EngineCoreOutputs") -> list[str]:
        """Tell what came of a step. Gives requests that ended by their words, of which the core does not know."""
        processed = self._core.outputs.process_outputs(outputs.outputs)
        told = False
        now_s = time.monotonic()
        self._tally.begin(outputs, now_s)
        for output in processed.request_outputs:
            seat = self._seats.get(output.request_id)
            if seat is None:
                continue
            self._tally.output(seat, output)
            told = self._give(seat, output) or told
            if output.finished:
                del self._seats[output.request_id]
        self._tally.end()
        if told:
            self.stepped()
        ended_by_words: list[str] = processed.reqs_to_abort
        return ended_by_words

    def _give(self, seat: Seat, output: Any) -> bool:
        try:
            return seat.take(output)
        except Exception:
            _log.exception("A generation failed at what the engine said.")
            self.abort([seat.id])
            self._fail([seat])
            return False

    async def _pings(self) -> None:
        """Renew the time of the last step while no step ends; a core that hangs does not answer."""
        while self.dead is None:
            await asyncio.sleep(_PING_S)
            if time.monotonic() - self._stats.last_step < _PING_S:
                continue
            try:
                await self._core.ping()
            except Exception as error:
                # Whoever reads the core's outputs hears of its death too, and tells it.
                _log.debug("The engine's core does not answer.", exc_info=error)
                return
            self._stats.last_step = time.monotonic()

    def _die(self) -> None:
        self._dead = DEAD
        seats, self._seats = list(self._seats.values()), {}
        self._fail(seats)

    def _fail(self, seats: Sequence[Seat]) -> None:
        for seat in seats:
            try:
                seat.fail(EngineFailed("The engine stopped while it worked on this request; try again."))
            except Exception:
                # All others have to hear of it too.
                _log.exception("A generation could not be told that it failed.")
        self.stepped()


def _nobody() -> None:
    """Nobody listens yet."""
