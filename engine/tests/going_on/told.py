"""What an engine told of a generation, frame by frame, and what that amounts to."""

import json
import math
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from inferno_backend.seam import Choice, Gain, OpenAICall, Render, Usage

from inferno_core.errors import InfernoError
from inferno_core.session import Piece

_CLOSE = 1e-3


class Told:
    """Hears an engine out. `frames` are what a log would hold."""

    def __init__(self, call: OpenAICall, lag: int) -> None:
        self.call = call
        self.frames: list[Choice] = []
        self.usage: Usage | None = None
        self.error: InfernoError | None = None
        self.over = threading.Event()
        self._lag = lag
        self._lock = threading.Lock()
        self._render: Render | None = None
        self._gains: list[Gain] = []

    def begin(self, render: Render) -> None:
        self._render = render

    def put(self, gain: Gain) -> None:
        self._gains.append(gain)

    def end(self, usage: Usage) -> None:
        self.usage = usage

    def fail(self, error: InfernoError) -> None:
        self.error = error
        self.over.set()

    def stepped(self) -> None:
        """Put what came into words, as many gains at once as this one lags."""
        with self._lock:
            ended = self.usage is not None
            if self._render is not None and not self.over.is_set() and (ended or len(self._gains) >= self._lag):
                gains, self._gains = self._gains, []
                self.frames.extend(self._render(gains) if gains else ())
            if ended:
                self.over.set()

    def pieces(self, frames: int) -> tuple[Piece, ...]:
        """Give the first frames as they are accepted."""
        return tuple(Piece(said.index, tuple(said.tokens), said.finish or None) for said in self.frames[:frames])


def tokens(frames: Sequence[Choice]) -> dict[int, list[int]]:
    """Give all tokens of each choice."""
    said: dict[int, list[int]] = defaultdict(list)
    for frame in frames:
        said[frame.index].extend(frame.tokens)
    return dict(said)


def words(frames: Sequence[Choice]) -> dict[int, dict[str, Any]]:
    """Give what a client makes of each choice: texts, tool calls but for their ids, which are chance, and the end."""
    said: dict[int, dict[str, Any]] = defaultdict(lambda: defaultdict(str))
    for frame in frames:
        choice, seen = json.loads(frame.body), said[frame.index]
        seen["text"] += choice.get("text") or ""
        seen["finish"] += choice.get("finish_reason") or ""
        seen["stop"] += str(choice.get("stop_reason") or "")
        delta = choice.get("delta") or {}
        for key in ("role", "content", "reasoning", "reasoning_content"):
            seen[key] += delta.get(key) or ""
        for call in delta.get("tool_calls") or ():
            place = f"tool {call['index']}"
            seen[place + " ids"] += "*" if call.get("id") else ""
            for key, value in (call.get("function") or {}).items():
                seen[f"{place} {key}"] += value or ""
    return {index: dict(seen) for index, seen in said.items()}


def log_probabilities(frames: Sequence[Choice]) -> dict[int, list[Any]]:
    """Give all numbers and words of each choice's log-probabilities, in order."""
    said: dict[int, list[Any]] = defaultdict(list)
    for frame in frames:
        logprobs = json.loads(frame.body).get("logprobs")
        if logprobs:
            # Completions have a column for each thing that is known of a token, chats a row for each token.
            rows = logprobs["content"] if "content" in logprobs else list(zip(*logprobs.values(), strict=True))
            said[frame.index].extend(_leaves(rows))
    return dict(said)


def alike(one: dict[int, list[Any]], other: dict[int, list[Any]]) -> bool:
    """Compare log-probabilities: words must be equal, numbers nearly so."""
    return one.keys() == other.keys() and all(
        len(one[index]) == len(other[index]) and all(_near(a, b) for a, b in zip(one[index], other[index], strict=True))
        for index in one
    )


def _near(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return bool(one == other)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in _leaves(value[key])]
    if isinstance(value, list | tuple):
        return [leaf for each in value for leaf in _leaves(each)]
    return [value]
