"""The seam between contracts and engines: what is asked of an engine, and what it says.

An engine works in *steps*. In each it tells every `Reply` concerned what its choices gained, as raw as the engine has
it, and then, once, that the step is over. Only what is about to be sent is put into words, in the thread that sends, so
that neither a slow reader nor a slow parser ever holds up a step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from inferno_core.errors import InfernoError
from inferno_core.records import Phases
from inferno_core.session import Piece


@dataclass(frozen=True, slots=True)
class OpenAICall:
    """A generation asked for by an OpenAI body. `priority`: lower goes first.

    `allowance` is the most tokens that each choice may have. `accepted` is what was said of it before, frame by frame:
    the engine goes on after that as if it had never stopped, with the body's seed.
    """

    id: str
    surface: Literal["chat", "completion", "embedding"]
    body: Mapping[str, Any]
    priority: int = 0
    allowance: int | None = None
    accepted: Sequence[Piece] = ()


@dataclass(frozen=True, slots=True)
class StockCall:
    """A generation asked for as Triton's own vLLM backend has it: a prompt as text or as token ids.

    `stream`: words as they come.
    """

    id: str
    prompt: str | Sequence[int]
    sampling: Mapping[str, Any]
    stream: bool
    priority: int = 0


Call = OpenAICall | StockCall


class Gain(NamedTuple):
    """What one choice gained in an engine step. `raw` is for the call's `Render` alone; `finish` ends the choice."""

    index: int
    tokens: Sequence[int]
    raw: Any
    finish: str = ""


class Choice(NamedTuple):
    """For an OpenAICall: a choice object of OpenAI's streams, as JSON, and the tokens behind it."""

    index: int
    tokens: Sequence[int]
    body: bytes
    finish: str = ""


class Delta(NamedTuple):
    """For a StockCall: text that a choice gained, and what is known of it."""

    index: int
    text: str
    tokens: Sequence[int]
    prompt_tokens: int
    finish: str | None = None
    cumulative_logprob: float | None = None
    logprobs: Sequence[Mapping[str, Any]] | None = None


class Usage(NamedTuple):
    """What the engine counted, in tokens, and how long the phases took, where it can tell."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    phases: Phases | None = None


MOST_TOKENS = 4096
"""How many tokens may be told as one: a frame of the log has to hold the choice object that is made of them."""
FEW_TOKENS = 64
"""The same where each is told with log-probabilities: twenty of them take up to 10 KB."""


class Render(Protocol):
    """Puts into words what a call gained. Called by one thread at a time, in order; what is given together may have
    come in several steps, and is told as one where it can be. May raise InfernoError, which ends the generation.
    """

    @property
    def most(self) -> int:
        """How many tokens may be told as one."""
        ...

    def __call__(self, gains: Sequence[Gain]) -> Sequence[Choice] | Sequence[Delta]:
        """Give choices for an OpenAICall, deltas for a StockCall."""
        ...

    def join(self, gain: Gain, following: Gain) -> Gain | None:
        """Make one gain of two of the same choice, so that what waits takes less memory; None where it would not,
        or where they are told with log-probabilities.

        The two are of no use after that. Other gains may be put into words meanwhile, by another thread.
        """
        ...


class Reply(Protocol):
    """Whoever asked. No call blocks. Exactly one `end` or `fail`, and nothing after that, nor after `cancel`."""

    def begin(self, render: Render) -> None:
        """Take what puts this call into words; comes before the first `put`."""
        ...

    def put(self, gain: Gain) -> None:
        """Take what a choice gained. It is told to the asker after the engine's `stepped`."""
        ...

    def end(self, usage: Usage) -> None:
        """Take the end."""
        ...

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more."""
        ...


@dataclass(slots=True)
class Spread:
    """A histogram that only grows: how many observations were at most each of `bounds`, in seconds, and their sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0
    count: int = 0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * len(self.bounds)

    def observe(self, value_s: float, times: int = 1) -> None:
        """Count `times` observations of the same value."""
        self.sum += value_s * times
        self.count += times
        for place, bound in enumerate(self.bounds):
            if value_s <= bound:
                self.counts[place] += times


LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(slots=True)
class Stats:
    """How an engine stands: the first four now, all others since its start. The engine's own thread writes it.

    `kv_cache_usage` is a share of 1. `steps` counts engine steps; `last_step` is when one last ended, in seconds of the
    monotonic clock, and is renewed while nothing runs.
    """

    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    last_step: float = 0.0
    steps: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    prefix_cache_queries: int = 0
    prefix_cache_hits: int = 0
    preemptions: int = 0
    ttft: Spread = field(default_factory=lambda: Spread(LATENCIES))
    itl: Spread = field(default_factory=lambda: Spread(LATENCIES))
    step_time: Spread = field(default_factory=lambda: Spread(LATENCIES))


class Engine(Protocol):
    """What generates. `slots` is how many choices run at once, `context` the longest prompt and answer, in tokens.

    `tasks` are the surfaces that it has. `stats` is live.
    """

    slots: int
    context: int
    tasks: Sequence[str]
    stats: Stats

    def open(self, stepped: Callable[[], None]) -> None:
        """Begin to work: from now on `stepped` is called after every step that told a reply something, and after an end
        or a failure outside of steps. It does not block.
        """
        ...

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation; does not block, and reports every failure to `reply`."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """Abort generations, running or waiting. One that is not known is ignored."""
        ...

    @property
    def dead(self) -> str | None:
        """None, or a sentence that says why this engine will not generate again."""
        ...

    def close(self) -> None:
        """Stop, and end every process and thread of the engine."""
        ...
