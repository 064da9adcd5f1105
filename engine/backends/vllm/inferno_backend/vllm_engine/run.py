"""A generation while the engine works at it, and its seats in the engine: one for each choice, or vector."""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from inferno_backend.seam import Call, Gain, Render, Reply, Usage
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Phases


class Seat(Protocol):
    """A request of the engine, and who takes what comes of it. `place` is the index that its outputs have.

    `speaks`: it gets tokens. `last_s`: when anything last came, 0 before that.
    """

    id: str
    speaks: bool
    request: Any
    place: int
    asked_s: float
    last_s: float

    @property
    def over(self) -> bool:
        """Whether nobody wants it any more."""
        ...

    def scheduled(self, begun_s: float, first_s: float) -> None:
        """Take the news of when it was given a slot, and when the first of it came, by the monotonic clock."""
        ...

    def take(self, output: Any) -> bool:
        """Take an output of vLLM's; say whether anybody was told something by it. Called by the engine's thread."""
        ...

    def fail(self, error: InfernoError) -> None:
        """Take the news that nothing more will come."""
        ...


class Run:
    """Tells a reply what happens to its call. Safe to be called by any thread; silent after its end, and once dropped.

    `ids` are those of its seats.
    """

    def __init__(self, call: Call, reply: Reply, forget: Callable[["Run"], None]) -> None:
        self.call = call
        self.asked_s = time.monotonic()
        self.ids: list[str] = []
        self.over = False
        self.failed = False
        self._reply = reply
        self._forget = forget
        self._begun_s = self._first_s = 0.0
        # What is told and that it is over must not overlap: a reply hears nothing after that.
        self._lock = threading.Lock()
        self._open = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._cached_tokens = 0

    def begin(self, render: Render, open: int, prompt_tokens: int, completion_tokens: int = 0) -> None:
        """Say what puts it into words, and how many of its choices are still open; tokens are those known already."""
        self._open = open
        self._prompt_tokens = prompt_tokens
        self._completion_tokens = completion_tokens
        with self._lock:
            if not self.over:
                self._reply.begin(render)
        if not open:
            self._end()

    def scheduled(self, begun_s: float, first_s: float) -> None:
        """Note when a choice was given a slot, and when its first words came; the first choice counts."""
        if not self._first_s:
            self._begun_s, self._first_s = begun_s, first_s

    def put(self, gain: Gain, cached_tokens: int = 0) -> None:
        """Tell what a choice gained; the last choice's finish ends the generation."""
        with self._lock:
            if not self.over:
                self._reply.put(gain)
        self._completion_tokens += len(gain.tokens)
        self._cached_tokens += cached_tokens
        if gain.finish:
            self._open -= 1
            if not self._open:
                self._end()

    def fail(self, error: InfernoError) -> None:
        """Tell that there will be no more."""
        with self._lock:
            if self.over:
                return
            self.over = self.failed = True
            self._reply.fail(error)
        self._forget(self)

    def drop(self) -> None:
        """Be silent from now on."""
        with self._lock:
            self.over = True

    def _end(self) -> None:
        with self._lock:
            if self.over:
                return
            self.over = True
            self._reply.end(Usage(self._prompt_tokens, self._completion_tokens, self._cached_tokens, self._phases()))
        self._forget(self)

    def _phases(self) -> Phases | None:
        if not self._first_s:
            return None
        begun_s = max(self.asked_s, min(self._begun_s, self._first_s))
        return Phases(
            queued_s=begun_s - self.asked_s,
            prefill_s=self._first_s - begun_s,
            decode_s=max(0.0, time.monotonic() - self._first_s),
        )


class ChoiceSeat:
    """The seat of a choice. `index` is its place among all choices of the call, `place` among those of its prompt."""

    speaks = True

    def __init__(self, run: Run, index: int, place: int, request: Any) -> None:
        self.id: str = request.request_id
        self.request = request
        self.place = place
        self.asked_s = run.asked_s
        self.last_s = 0.0
        self.index = index
        self._run = run
        self._told = False

    @property
    def over(self) -> bool:
        """Whether its generation has ended, or was dropped."""
        return self._run.over

    def scheduled(self, begun_s: float, first_s: float) -> None:
        """Have it count for the generation."""
        self._run.scheduled(begun_s, first_s)

    def take(self, output: Any) -> bool:
        """Tell what the choice gained."""
        if self._run.over:
            return False
        gained = output.outputs[0]
        finish = gained.finish_reason or ""
        if finish in ("error", "abort"):
            self._run.fail(EngineFailed("The engine failed at this request; try again."))
            return True
        # A prompt is counted once, with the first that its first choice says.
        cached = output.num_cached_tokens or 0 if not (self.place or self._told) else 0
        self._told = True
        self._run.put(Gain(self.index, gained.token_ids, output, finish), cached)
        return True

    def fail(self, error: InfernoError) -> None:
        """End the generation with an error."""
        self._run.fail(error)
