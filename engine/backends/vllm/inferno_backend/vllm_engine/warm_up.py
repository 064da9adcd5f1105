"""Has an engine do once what users will ask for, before it is called ready: first uses compile, and take long."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from inferno_backend import lora
from inferno_backend.seam import Engine, Gain, OpenAICall, Render, Usage
from inferno_core.errors import InfernoError, InvalidRequest

_log = logging.getLogger(__name__)
_DEADLINE_S = 900.0
_LONG_TOKENS = 1024
_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
_TOOL: Mapping[str, Any] = {"type": "function", "function": {"name": "look", "parameters": _SCHEMA}}
_FORMAT: Mapping[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": _SCHEMA}}
_CHAT: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "seed": 1}
_COMPLETION: Mapping[str, Any] = {"prompt": "Hi", "max_tokens": 4, "seed": 1}


def warm_up(engine: Engine, *, tools: bool, adapter: str | None = None) -> tuple[str, ...]:
    """Ask for everything at once; gives the surfaces that work. Raises RuntimeError if the engine fails.

    `adapter` names one of LoRA's, where there are any.
    """
    began_s = time.monotonic()
    ears = [(surface, _Ear(engine, surface, body)) for surface, body in _bodies(engine, tools, adapter)]
    plain = dict(reversed(ears))
    refused: set[str] = set()
    for surface, ear in ears:
        error = ear.listen(began_s + _DEADLINE_S - time.monotonic())
        if isinstance(error, InvalidRequest):
            # A model without a chat template, for one, has no chats.
            _log.warning("A warm-up by %s was refused: %s", surface, error.message)
            refused |= {surface} if ear is plain[surface] else set()
        elif error is not None:
            raise RuntimeError(f"The engine failed at a warm-up by {surface}: {error.message}")
    _log.info("The engine was warmed up in %.1f s.", time.monotonic() - began_s)
    return tuple(surface for surface in engine.tasks if surface not in refused)


def _bodies(engine: Engine, tools: bool, adapter: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what to ask for, the plainest of each surface first."""
    if "embedding" in engine.tasks:
        yield "embedding", {"input": "Hi", lora.FIELD: adapter}
    if "completion" in engine.tasks:
        yield "completion", _COMPLETION
        yield "completion", {**_COMPLETION, "prompt": [1] * min(_LONG_TOKENS, engine.context // 2), "temperature": 0}
        if adapter is not None:
            yield "completion", {**_COMPLETION, lora.FIELD: adapter}
        yield "completion", {**_COMPLETION, "logprobs": 1, "presence_penalty": 0.1, "min_p": 0.01}
        yield "completion", {**_COMPLETION, "top_p": 0.9, "top_k": 8, "structured_outputs": {"regex": "[a-z]+"}}
    if "chat" in engine.tasks:
        yield "chat", _CHAT
        yield "chat", {**_CHAT, "response_format": _FORMAT}
        if tools:
            yield "chat", {**_CHAT, "tools": [_TOOL], "tool_choice": "required"}
            yield "chat", {**_CHAT, "tools": [_TOOL]}


class _Ear:
    """Asks, and listens for the end."""

    def __init__(self, engine: Engine, surface: str, body: Mapping[str, Any]) -> None:
        self.error: InfernoError | None = None
        self._gains: list[Gain] = []
        self._render: Render | None = None
        self._over = threading.Event()
        engine.start(OpenAICall(f"warm-up-{id(self)}", surface, body), self)  # type: ignore[arg-type]

    def listen(self, timeout_s: float) -> InfernoError | None:
        """Wait for the end, and put what was said into words, as will be done with all. Raises RuntimeError."""
        if not self._over.wait(timeout_s):
            raise RuntimeError(f"The engine did not warm up within {_DEADLINE_S:.0f} s.")
        if self.error is None and self._render is not None:
            self._render(self._gains)
        return self.error

    def begin(self, render: Render) -> None:
        """Take what puts it into words."""
        self._render = render

    def put(self, gain: Gain) -> None:
        """Take what a choice gained."""
        self._gains.append(gain)

    def end(self, usage: Usage) -> None:
        """Take the end."""
        self._over.set()

    def fail(self, error: InfernoError) -> None:
        """Take the news that there will be no more."""
        self.error = error
        self._over.set()
