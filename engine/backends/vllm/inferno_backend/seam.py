"""The seam between contracts and engines: what is asked of an engine, and what it says.

An engine calls its `Reply` from any thread: `put` for the words of one engine step, then exactly once `end` or `fail`.
After `cancel` it says nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from inferno_core.errors import InfernoError


@dataclass(frozen=True, slots=True)
class OpenAICall:
    """A generation asked for by an OpenAI body. `priority`: lower goes first."""

    id: str
    surface: Literal["chat", "completion"]
    body: Mapping[str, Any]
    priority: int = 0


@dataclass(frozen=True, slots=True)
class StockCall:
    """A generation asked for as Triton's own vLLM backend has it. `stream`: words as they come."""

    id: str
    prompt: str
    sampling: Mapping[str, Any]
    stream: bool
    priority: int = 0


Call = OpenAICall | StockCall


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
    token_count: int
    prompt_tokens: int
    finish: str | None = None
    cumulative_logprob: float | None = None
    logprobs: Sequence[Mapping[str, Any]] | None = None


class Usage(NamedTuple):
    """What the engine counted, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Reply(Protocol):
    """Whoever asked."""

    def put(self, words: Sequence[Choice] | Sequence[Delta]) -> None:
        """Take the words of one engine step."""

    def end(self, words: Sequence[Choice] | Sequence[Delta], usage: Usage) -> None:
        """Take the last words (there may be none)."""

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more."""


class Engine(Protocol):
    """What generates."""

    def start(self, call: Call, reply: Reply) -> None:
        """Begin a generation; does not block, and reports every failure to `reply`."""

    def cancel(self, id: str) -> None:
        """Abort a generation, running or waiting. One that is not known is ignored."""

    def close(self) -> None:
        """Stop, and end every process and thread of the engine."""
