"""Runs the synthetic scheduler against the clock.

A step tells of each choice only how far it got. Answers are made when a call comes, in the thread of whoever calls, and
words in the thread that sends them.
"""

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from inferno_backend.seam import Call, Gain, OpenAICall, Reply, Stats
from inferno_backend.synthetic_calls import Generation, plan
from inferno_backend.synthetic_stats import Observer
from inferno_core.errors import EngineFailed, InfernoError
from inferno_engine.synthetic import faults
from inferno_engine.synthetic.prefixes import BLOCK
from inferno_engine.synthetic.scheduler import Scheduler, Step

_log = logging.getLogger(__name__)
_IDLE_S = 0.5
_CLOSE_S = 5.0
# Calling a named tuple's class costs as much again.
_new = tuple.__new__


class SyntheticEngine:
    """Generates words in steps of `step_ms`, for up to `max_num_seqs` choices at once; the others wait in order.

    The KV cache has `kv_cache_tokens`, and `prefill_tokens_per_step` is how much of all prompts a step reads. With
    `faults` it breaks when a request asks for it.
    """

    tasks: Sequence[str] = ("chat", "completion", "embedding")

    def __init__(
        self,
        *,
        max_model_len: int = 8192,
        max_num_seqs: int = 64,
        kv_cache_tokens: int = 524_288,
        prefill_tokens_per_step: int = 2048,
        step_ms: float = 20.0,
        faults: bool = False,
    ) -> None:
        if kv_cache_tokens // BLOCK * BLOCK < max_model_len:
            raise ValueError("kv_cache_tokens must be at least max_model_len, or the longest would wait for ever.")
        self.context = max_model_len
        self.slots = max_num_seqs
        self.stats = Stats(last_step=time.monotonic())
        self.dead: str | None = None
        self._step_s = step_ms / 1000
        self._faults = faults
        self._scheduler = Scheduler(max_num_seqs, kv_cache_tokens, prefill_tokens_per_step)
        self._known: dict[str, Generation] = {}
        self._asked: deque[Callable[[], None]] = deque()
        self._woken = threading.Event()
        self._closing = threading.Event()
        # Nothing may be told after a cancellation, so the two take turns.
        self._telling = threading.Lock()
        self._observer = Observer(self.stats, self._scheduler)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def open(self, stepped: Callable[[], None]) -> None:
        """Begin to step."""
        self._stepped = stepped
        self._thread.start()

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation, or refuse it at once."""
        try:
            body = call.body if isinstance(call, OpenAICall) else call.sampling
            fault = faults.fault(body, allowed=self._faults)
            planned = plan(call, self.context)
            generation = Generation(call, reply, planned, fault, time.monotonic())
        except Exception as error:
            reply.fail(_told(error))
            self._stepped()
            return
        reply.begin(planned.render)
        if generation.over:
            reply.end(generation.usage())
            self._stepped()
            return
        self._known[call.id] = generation
        self._ask(partial(self._scheduler.add, generation.runs))
        if self.dead is not None:
            self._fail_all()

    def cancel(self, ids: Sequence[str]) -> None:
        """Forget generations; their slots go to the next in line at the next step."""
        self._drop(ids)

    def close(self) -> None:
        """Stop stepping."""
        self._closing.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _drop(self, ids: Sequence[str]) -> frozenset[Generation]:
        """Silence generations at once, and take their runs from the scheduler before the next step."""
        with self._telling:
            gone = frozenset(generation for id in ids if (generation := self._known.pop(id, None)) is not None)
            for generation in gone:
                generation.silence()
        if gone:
            self._ask(partial(self._scheduler.cancel, gone))
        return gone

    def _ask(self, what: Callable[[], None]) -> None:
        """Have the engine's thread change what it works on, before its next step."""
        self._asked.append(what)
        self._woken.set()

    def _run(self) -> None:
        try:
            self._step_on()
        except Exception:
            _log.exception("The engine's thread failed.")
            self.dead = "The synthetic engine's thread failed."
            self._fail_all()

    def _fail_all(self) -> None:
        for generation in self._drop(list(self._known)):
            generation.reply.fail(EngineFailed("The engine is dead."))
        self._stepped()

    def _step_on(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set():
            self._take()
            if not self._scheduler.running and not self._scheduler.waiting:
                self._observer.idle(time.monotonic())
                self._woken.wait(_IDLE_S)
                self._woken.clear()
                due = self.stats.last_step = time.monotonic()
                continue
            # A step that is late does not make the following ones hurry.
            due = max(due + self._step_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            self._take()
            self._step()

    def _take(self) -> None:
        while self._asked:
            self._asked.popleft()()

    def _step(self) -> None:
        step = self._scheduler.step()
        for run in step.halted:
            self._break(run.owner)
        now = time.monotonic()
        for run in step.admitted:
            run.owner.takes(self.stats.last_step)
        for run in step.begun:
            run.owner.speaks(now)
        with self._telling:
            self._tell(step)
        self._observer.observe(step, time.monotonic())
        if step.advanced or step.ended or step.halted:
            self._stepped()

    def _tell(self, step: Step) -> None:
        """Tell everybody what they gained. This is all that is done for each token, so it is as little as can be."""
        for run in step.advanced:
            made = run.made
            run.owner.put(_new(Gain, (run.choice, run.tokens[made - 1 : made], made, "")))
        for run, start in step.ended:
            generation: Generation = run.owner
            generation.finish(run, start)
            if generation.over and self._known.get(generation.id) is generation:
                del self._known[generation.id]

    def _break(self, generation: Generation) -> None:
        """Have the fault that a generation asked for."""
        fault = generation.fault
        if fault is None:
            return
        _log.warning("Generation %s asked for the fault %s.", generation.id, fault.kind)
        if fault.kind == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault.kind == "error":
            for gone in self._drop([generation.id]):
                gone.reply.fail(EngineFailed("The engine failed at this request, as the request asked."))
        else:
            self._closing.wait(fault.seconds if fault.kind == "slow" else None)


def _told(error: Exception) -> InfernoError:
    """Give what the asker is told of an error: of those that nobody foresaw, no more than that there was one."""
    if isinstance(error, InfernoError):
        return error
    _log.error("A request could not be understood.", exc_info=error)
    return EngineFailed("The engine failed at this request.")
