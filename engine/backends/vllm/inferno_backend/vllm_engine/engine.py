"""vLLM as an engine of the seam: its front takes calls in, its steps tell what they gained.

Both have an event loop in a thread of their own: reading and rendering a long prompt holds no step up.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from inferno_backend.seam import Call, OpenAICall, Reply, Stats
from inferno_backend.vllm_engine import vectors
from inferno_backend.vllm_engine.admission import Admission
from inferno_backend.vllm_engine.core import Core
from inferno_backend.vllm_engine.replays import Replays
from inferno_backend.vllm_engine.run import Run
from inferno_backend.vllm_engine.runs import Runs
from inferno_backend.vllm_engine.serving import Serving
from inferno_backend.vllm_engine.steps import Steps
from inferno_backend.vllm_engine.warm_up import warm_up
from inferno_core.errors import EngineFailed, InvalidRequest

_log = logging.getLogger(__name__)
_CLOSE_S = 5.0


class VllmEngine:
    """vLLM, with the keyword arguments of its engine and serving layer as in model.json.

    `adapters` are the folders of LoRA's by name; None where they are off.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], adapters: Mapping[str, Path] | None = None) -> None:
        """Start it; blocks until it can generate. Raises ValueError for a wrong argument, and whatever vLLM does."""
        self.stats = Stats()
        self.tasks: Sequence[str] = ()
        self._runs = Runs()
        self._waits: dict[Run, asyncio.Task[None]] = {}
        self._replays = Replays()
        self._front = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._front.run_forever, name="engine-front", daemon=True)
        self._core = Core(name, arguments, adapters)
        self._steps = Steps(self._core, self.stats)
        self.slots, self.context = self._core.slots, self._core.context
        try:
            self._steps.begin()
            self._thread.start()
            self._serving = self._wait(Serving.open(self._core))
            self._admission = Admission(self._core, self._serving, self._replays)
            self.tasks = self._serving.surfaces
            tools, adapters = self._core.served.tool_call_parser is not None, self._core.adapters
            self.tasks = warm_up(self, tools=tools, adapter=next(iter(adapters or ()), None))
            # What nobody asked for does not count.
            self.stats = Stats(last_step=self.stats.last_step)
            self._steps.count_into(self.stats)
        except BaseException:
            self.close()
            raise

    def open(self, stepped: Callable[[], None]) -> None:
        """Call `stepped` from now on."""
        self._steps.stepped = stepped

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation. An older one of the same id is dropped, as if it had been cancelled."""
        self.cancel((call.id,))
        run = Run(call, reply, self._forget)
        self._runs.add(run)
        self._front.call_soon_threadsafe(self._begin, run)

    def cancel(self, ids: Sequence[str]) -> None:
        """Abort generations, running or waiting."""
        seats: list[str] = []
        for run in self._runs.take(ids):
            run.drop()
            seats += run.ids
            self._front.call_soon_threadsafe(self._let_go, run)
        if seats:
            self._steps.abort(seats)

    @property
    def dead(self) -> str | None:
        """None, or a sentence that says why this engine will not generate again."""
        return self._steps.dead

    def close(self) -> None:
        """Stop, and end every process and thread of the engine."""
        for run in self._runs.all():
            run.drop()
        self._replays.close()
        self._steps.close()
        self._core.close()
        if self._thread.is_alive():
            self._front.call_soon_threadsafe(self._front.stop)
            self._thread.join(_CLOSE_S)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._front).result()

    def _begin(self, run: Run) -> None:
        task = self._waits[run] = self._front.create_task(self._admit(run))
        task.add_done_callback(lambda _: self._waits.pop(run, None))

    def _let_go(self, run: Run) -> None:
        task = self._waits.get(run)
        if task is not None:
            task.cancel()

    async def _admit(self, run: Run) -> None:
        try:
            await self._take(run)
        except Exception as error:
            asked = run.call.body if isinstance(run.call, OpenAICall) else run.call.sampling
            known = self._core.error(error, asked)
            # vLLM takes a TypeError for a wrong value of the client's; only the log can tell whether it was one.
            surprising = isinstance(known, EngineFailed) or isinstance(error, TypeError)
            if surprising and error is not known and self.dead is None:
                _log.exception("A generation failed.")
            run.fail(known)
            self._steps.stepped()

    async def _take(self, run: Run) -> None:
        call = run.call
        if self.dead is not None:
            raise EngineFailed("The engine has stopped; try again.")
        if isinstance(call, OpenAICall) and call.surface not in self.tasks:
            has = ", ".join(self.tasks)
            raise InvalidRequest(f"This model has no surface {call.surface}; it has: {has}.", param="model")
        if isinstance(call, OpenAICall) and call.surface == "embedding":
            await vectors.tell(self._core, self._serving, self._steps, run, call)
            self._steps.stepped()
            return
        admitted = await self._admission.admit(run)
        run.ids += [seat.id for seat in admitted.seats]
        open = len(admitted.seats) + len(admitted.told)
        run.begin(admitted.render, open, admitted.prompt_tokens, admitted.completion_tokens)
        for gain in admitted.told:
            run.put(gain)
        if admitted.told or not open:
            self._steps.stepped()
        if admitted.seats:
            self._steps.submit(admitted.seats)

    def _forget(self, run: Run) -> None:
        """Let go of a run that has ended; of one that failed, choices may still be running."""
        self._runs.forget(run)
        if run.failed and run.ids:
            self._steps.abort(run.ids)
