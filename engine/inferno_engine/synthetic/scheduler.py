"""Continuous batching, without clock or threads: which choices get how far in each engine step.

A run (one choice of a generation) waits until there is a slot and room in the KV cache for its prompt, in order of
priority and arrival. Then its prompt is read, at so many tokens a step for all together, and from then on each step
gives it one token. The cache grows by blocks; when none is left, the youngest run gives up its own, waits, and is later
read again, answer so far included.
"""

from bisect import insort
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from inferno_engine.synthetic.prefixes import BLOCK, Prefixes

NEVER = 1 << 62


@dataclass(slots=True, eq=False)
class Run:
    """One choice of what `owner` stands for: it is to be `tokens`, of which the first `made` are made already.

    `prefix` names the blocks of its prompt. Its owner is to be told when token `halt` is about to be made. Of runs that
    wait, the one of the lowest priority goes first, then the one that came first. The scheduler keeps the rest, of
    which `cached` is how much of the prompt needed no reading; `last_told_s` is its owner's.
    """

    owner: Any
    choice: int
    prompt_tokens: int
    tokens: Sequence[int]
    made: int = 0
    priority: int = 0
    prefix: tuple[int, ...] = ()
    halt: int = NEVER
    length: int = field(init=False)
    arrival: int = 0
    unread: int = 0
    cached: int | None = None
    blocks: int = 0
    running: bool = False
    last_told_s: float = 0.0
    # As long as fewer tokens are made, the next one needs nothing but itself.
    free_until: int = -1

    def __post_init__(self) -> None:
        self.length = len(self.tokens)

    @property
    def needs(self) -> int:
        """How many blocks it needs with its next token."""
        return -(-(self.prompt_tokens + min(self.made + 1, self.length)) // BLOCK)

    @property
    def order(self) -> tuple[int, int]:
        """Its place among those that wait; the last of those that run is the youngest."""
        return self.priority, self.arrival


class Step(NamedTuple):
    """What a step brought. `advanced` gained a token each and go on; those that `ended` gained what lies behind the
    number of tokens beside them, which may be nothing. `begun` are those of either kind whose prompt had just been
    read, `halted` those that came to their halt, `preempted` those that lost their slot, and `admitted` those that were
    given one.
    """

    advanced: list[Run]
    ended: list[tuple[Run, int]]
    begun: list[Run]
    halted: list[Run]
    preempted: list[Run]
    admitted: list[Run]


@dataclass
class Scheduler:
    """Shares `slots`, a KV cache of `kv_tokens` and `prefill_tokens` a step among runs."""

    slots: int
    kv_tokens: int
    prefill_tokens: int
    prefixes: Prefixes = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = self._free = self.kv_tokens // BLOCK
        self.prefixes = Prefixes(self._blocks)
        self._running: list[Run] = []
        self._waiting: list[Run] = []
        self._arrivals = 0
        self._budget = 0

    @property
    def running(self) -> int:
        """How many runs hold a slot."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many runs wait for one."""
        return len(self._waiting)

    @property
    def usage(self) -> float:
        """Which share of the KV cache is taken."""
        return 1 - self._free / self._blocks

    def add(self, runs: Iterable[Run]) -> None:
        """Queue runs."""
        for run in runs:
            self._arrivals += 1
            run.arrival = self._arrivals
            insort(self._waiting, run, key=lambda run: run.order)

    def cancel(self, owners: Collection[Any]) -> None:
        """Forget all that is `owners`', running or waiting; the slots are free from the next step on."""
        self._waiting = [run for run in self._waiting if run.owner not in owners]
        for run in self._running:
            if run.owner in owners:
                self._leave(run)
        self._sweep()

    def step(self) -> Step:
        """Advance by one engine step."""
        step = Step([], [], [], [], [], self._admit())
        self._budget = self.prefill_tokens
        advanced = step.advanced
        for run in self._running:
            if run.made < run.free_until:
                run.made += 1
                advanced.append(run)
            elif run.running:
                self._advance(run, step)
        if step.ended or step.preempted:
            self._sweep()
        return step

    def _admit(self) -> list[Run]:
        """Give slots to those that wait, in order; one that finds no room is not overtaken."""
        taken = 0
        for run in self._waiting[: self.slots - len(self._running)]:
            if run.needs > self._free:
                break
            self._free -= run.needs
            run.blocks, run.running = run.needs, True
            cached = self.prefixes.take(run.prefix, run.prompt_tokens)
            run.cached = cached if run.cached is None else run.cached
            run.unread = max(1, run.prompt_tokens + run.made - cached)
            self._running.append(run)
            taken += 1
        admitted = self._waiting[:taken]
        del self._waiting[:taken]
        return admitted

    def _advance(self, run: Run, step: Step) -> None:
        """Advance a run for which more has to be done than to count."""
        begins = run.unread > 0
        if begins:
            read = min(self._budget, run.unread)
            self._budget -= read
            run.unread -= read
            if run.unread:
                return
        if not self._room(run, step):
            return
        if begins:
            step.begun.append(run)
        if run.made == run.halt:
            run.halt = NEVER
            step.halted.append(run)
        start = run.made
        run.made = min(start + 1, run.length)
        if run.made == run.length:
            self._leave(run)
            step.ended.append((run, start))
            return
        run.free_until = min(run.blocks * BLOCK - run.prompt_tokens, run.length - 1, run.halt)
        step.advanced.append(run)

    def _room(self, run: Run, step: Step) -> bool:
        """See to it that there is a block for the run's next token; not if the run itself is the one to give way."""
        while run.blocks < run.needs:
            if self._free:
                self._free -= 1
                run.blocks += 1
                continue
            youngest = max((each for each in self._running if each.running), key=lambda each: each.order)
            self._leave(youngest)
            insort(self._waiting, youngest, key=lambda each: each.order)
            step.preempted.append(youngest)
            if youngest is run:
                return False
        return True

    def _leave(self, run: Run) -> None:
        self._free += run.blocks
        run.blocks, run.running, run.free_until = 0, False, -1

    def _sweep(self) -> None:
        self._running = [run for run in self._running if run.running]
