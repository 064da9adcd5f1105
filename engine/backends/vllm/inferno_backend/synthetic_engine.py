"""Runs the synthetic scheduler against the clock."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from inferno_backend.seam import Call, Gain, OpenAICall, Render, Reply, Stats, Usage
from inferno_backend.synthetic_render import ChatRender, CompletionRender, StockRender
from inferno_core.errors import InfernoError
from inferno_engine.synthetic import request
from inferno_engine.synthetic.scheduler import Progress, Scheduler
from inferno_engine.synthetic.text import Answer

_IDLE_S = 0.5


class _Running:
    """A generation that the scheduler knows."""

    __slots__ = ("answers", "id", "n", "open_choices", "reply")

    def __init__(self, id: str, reply: Reply, answers: Sequence[Answer], n: int) -> None:
        self.id = id
        self.reply = reply
        self.answers = answers
        self.n = n
        self.open_choices = len(answers)

    def usage(self) -> Usage:
        # The choices of one prompt share it, so it is counted once.
        prompt_tokens = sum(answer.prompt_tokens for answer in self.answers[:: self.n])
        return Usage(prompt_tokens, sum(len(answer.tokens) for answer in self.answers))


class SyntheticEngine:
    """Generates words in steps of `step_ms`, for up to `max_num_seqs` choices at once; the others wait in order."""

    tasks: Sequence[str] = ("chat", "completion")
    dead: str | None = None

    def __init__(
        self,
        *,
        max_model_len: int = 8192,
        max_num_seqs: int = 64,
        kv_cache_tokens: int = 524_288,
        prefill_tokens_per_step: int = 2048,
        step_ms: float = 20.0,
    ) -> None:
        if kv_cache_tokens < max_model_len:
            raise ValueError("kv_cache_tokens must be at least max_model_len, or the longest would wait for ever.")
        self.context = max_model_len
        self.slots = max_num_seqs
        self.stats = Stats(last_step=time.monotonic())
        self._step_s = step_ms / 1000
        self._scheduler = Scheduler(
            slots=max_num_seqs, kv_tokens=kv_cache_tokens, prefill_tokens=prefill_tokens_per_step
        )
        self._running: dict[str, _Running] = {}
        self._inbox: deque[_Running | frozenset[str]] = deque()
        self._woken = threading.Event()
        # Nothing may be put after a cancellation, so the two don't overlap.
        self._putting = threading.Lock()
        self._cancelled: set[str] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def open(self, stepped: Callable[[], None]) -> None:
        """Begin to step."""
        self._stepped = stepped
        self._thread.start()

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation, or refuse it at once."""
        try:
            asked = _understand(call)
            answers = asked.answers(self.context)
        except InfernoError as error:
            reply.fail(error)
            self._stepped()
            return
        reply.begin(_render(call, answers))
        self._inbox.append(_Running(call.id, reply, answers, asked.n))
        self._woken.set()

    def cancel(self, ids: Sequence[str]) -> None:
        """Forget generations; their slots go to the next in line at the next step."""
        with self._putting:
            self._cancelled.update(ids)
        self._inbox.append(frozenset(ids))
        self._woken.set()

    def close(self) -> None:
        """Stop stepping."""
        self._closing = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._closing:
            self._take()
            if not self._running:
                self.stats.last_step = due = time.monotonic()
                self._woken.wait(_IDLE_S)
                self._woken.clear()
                continue
            # A step that is late does not make the following ones hurry.
            due = max(due + self._step_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            self._take()
            with self._putting:
                self._hand_out(self._scheduler.step())
            self._count()
            self._stepped()

    def _take(self) -> None:
        """Carry out what was asked since the last step, in its order."""
        while self._inbox:
            asked = self._inbox.popleft()
            if isinstance(asked, _Running):
                self._running[asked.id] = asked
                self._scheduler.add(asked.id, asked.answers)
                continue
            for id in asked:
                self._cancelled.discard(id)
                if self._running.pop(id, None) is not None:
                    self._scheduler.cancel(id)

    def _hand_out(self, made: Sequence[Progress]) -> None:
        for step in made:
            running = self._running[step.id]
            if step.id in self._cancelled:
                continue
            finish = step.answer.finish if step.last else ""
            running.reply.put(Gain(step.choice, step.answer.tokens[step.start : step.stop], step.stop, finish))
            running.open_choices -= step.last
            if not running.open_choices:
                del self._running[step.id]
                running.reply.end(running.usage())

    def _count(self) -> None:
        stats = self.stats
        stats.steps += 1
        stats.last_step = time.monotonic()
        stats.running, stats.waiting = self._scheduler.running, self._scheduler.waiting


def _understand(call: Call) -> request.Asked:
    if not isinstance(call, OpenAICall):
        return request.stock(call.prompt, call.sampling)
    return request.chat(call.body) if call.surface == "chat" else request.completion(call.body)


def _render(call: Call, answers: Sequence[Answer]) -> Render:
    if not isinstance(call, OpenAICall):
        return StockRender(answers)
    return ChatRender(answers, ()) if call.surface == "chat" else CompletionRender(answers)
