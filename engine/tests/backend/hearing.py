"""Whoever asks an engine: keeps what it says, in memory."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inferno_backend.seam import Call, Choice, Delta, Gain, OpenAICall, Render, Usage
from inferno_backend.synthetic_engine import SyntheticEngine

from inferno_core.errors import InfernoError
from inferno_core.records import Phases
from inferno_core.session import Piece


class Heard:
    """A `Reply` that keeps everything."""

    def __init__(self) -> None:
        self.gains: list[Gain] = []
        self.usage: Usage | None = None
        self.phases: Phases | None = None
        self.error: InfernoError | None = None
        self.calls: list[str] = []
        self._render: Render | None = None
        self._words: list[Any] | None = None
        self._over = threading.Event()
        self._said = threading.Condition()

    def begin(self, render: Render) -> None:
        self.calls.append("begin")
        self._render = render

    def put(self, gain: Gain) -> None:
        assert not self._over.is_set()
        with self._said:
            self.gains.append(gain)
            self._said.notify_all()

    def end(self, usage: Usage) -> None:
        self.calls.append("end")
        self.usage, self.phases = usage._replace(phases=None), usage.phases
        self._over.set()

    def fail(self, error: InfernoError) -> None:
        self.calls.append("fail")
        self.error = error
        self._over.set()

    def over(self, timeout_s: float = 10) -> "Heard":
        assert self._over.wait(timeout_s)
        return self

    def gained(self, count: int, timeout_s: float = 10) -> None:
        """Wait until there were `count` gains."""
        with self._said:
            assert self._said.wait_for(lambda: len(self.gains) >= count, timeout_s)

    @property
    def render(self) -> Render:
        """What puts it into words."""
        assert self._render is not None
        return self._render

    def said(self, together: int = 1) -> list[Choice] | list[Delta]:
        """Put what was heard into words, `together` gains at a time. That can be done once."""
        if self._words is None:
            starts = range(0, len(self.gains), together)
            self._words = [word for start in starts for word in self.render(self.gains[start : start + together])]
        return self._words

    def pieces(self) -> list[Piece]:
        """Give what was heard as a worker accepts it, frame by frame."""
        return [Piece(choice.index, tuple(choice.tokens), choice.finish or None) for choice in self.said()]


@dataclass
class Whole:
    """What all choice objects of one choice say together."""

    role: str = ""
    text: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    logprobs: dict[str, list[Any]] = field(default_factory=dict)
    tokens: list[int] = field(default_factory=list)
    finish: str = ""


def whole(choices: Sequence[Choice]) -> dict[int, Whole]:
    """Join choice objects, as a client does."""
    joined: dict[int, Whole] = {}
    for choice in choices:
        made, body = joined.setdefault(choice.index, Whole()), json.loads(choice.body)
        assert body["index"] == choice.index
        assert (body["finish_reason"] or "") == choice.finish
        delta = body.get("delta", {})
        made.role += delta.get("role", "")
        made.text += body.get("text") or delta.get("content") or ""
        made.tokens += choice.tokens
        made.finish += choice.finish
        for call in delta.get("tool_calls", ()):
            head = "/".join((call.get("id", ""), call.get("type", ""), call["function"].get("name", "")))
            known = made.calls.setdefault(call["index"], ["", ""])
            known[0] += head.strip("/")
            known[1] += call["function"]["arguments"]
        for name, values in (body["logprobs"] or {}).items():
            made.logprobs.setdefault(name, []).extend(values)
    return joined


def ask(engine: SyntheticEngine, surface: Any, body: Mapping[str, Any], **more: Any) -> Heard:
    """Have one generation, whole."""
    heard = Heard()
    engine.start(call(surface, body, **more), heard)
    return heard.over()


def call(surface: Any, body: Mapping[str, Any], **more: Any) -> Call:
    """Make a call with an id of its own."""
    return OpenAICall(f"call-{next(_ids)}", surface, body, **more)


_ids = iter(range(1 << 40))
