"""Continuous batching, without clock or threads: which answers get how far in each engine step.

A sequence (one choice of a generation) waits until there is a slot and room in the KV cache for all of it, in order of
arrival. Then its prompt is read, at so many tokens a step for all together, and from then on each step gives it
one token.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inferno_engine.synthetic.text import Answer


class Progress(NamedTuple):
    """Tokens `start` to `stop` of choice `choice` were generated in this step; `last` if no more will be."""

    id: str
    choice: int
    answer: Answer
    start: int
    stop: int
    last: bool


@dataclass(slots=True, eq=False)
class _Sequence:
    id: str
    choice: int
    answer: Answer
    prompt_left: int = field(init=False)
    made: int = 0

    def __post_init__(self) -> None:
        self.prompt_left = max(1, self.answer.prompt_tokens)

    @property
    def room(self) -> int:
        return self.answer.prompt_tokens + len(self.answer.tokens)


class Scheduler:
    """Shares `slots`, a KV cache of `kv_tokens` and `prefill_tokens` a step among sequences."""

    def __init__(self, *, slots: int, kv_tokens: int, prefill_tokens: int) -> None:
        self._slots = slots
        self._kv_free = kv_tokens
        self._prefill_tokens = prefill_tokens
        self._running: dict[_Sequence, None] = {}
        self._waiting: deque[_Sequence] = deque()

    @property
    def running(self) -> int:
        """How many sequences hold a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many sequences wait for one."""
        return len(self._waiting)

    def add(self, id: str, answers: Sequence[Answer]) -> None:
        """Queue a generation: one sequence for each of its choices."""
        self._waiting.extend(_Sequence(id, choice, answer) for choice, answer in enumerate(answers))

    def cancel(self, id: str) -> None:
        """Forget a generation, running or waiting; its slots are free from the next step on."""
        self._waiting = deque(sequence for sequence in self._waiting if sequence.id != id)
        for sequence in [sequence for sequence in self._running if sequence.id == id]:
            self._leave(sequence)

    def step(self) -> list[Progress]:
        """Advance by one engine step."""
        self._admit()
        budget = self._prefill_tokens
        made: list[Progress] = []
        for sequence in list(self._running):
            if sequence.prompt_left:
                read = min(budget, sequence.prompt_left)
                budget -= read
                sequence.prompt_left -= read
            if not sequence.prompt_left:
                made.append(self._advance(sequence))
        return made

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._slots and self._waiting[0].room <= self._kv_free:
            sequence = self._waiting.popleft()
            self._kv_free -= sequence.room
            self._running[sequence] = None

    def _advance(self, sequence: _Sequence) -> Progress:
        start = sequence.made
        sequence.made = min(start + 1, len(sequence.answer.tokens))
        last = sequence.made == len(sequence.answer.tokens)
        if last:
            self._leave(sequence)
        return Progress(sequence.id, sequence.choice, sequence.answer, start, sequence.made, last)

    def _leave(self, sequence: _Sequence) -> None:
        del self._running[sequence]
        self._kv_free += sequence.room
