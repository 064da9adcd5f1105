"""A generation's deltas as one object: what a stream says piece by piece, in OpenAI's form for whole answers."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from inferno_api.answers import ChatCompletion, TextCompletion, counts
from inferno_core.acceptance import Accepted
from inferno_core.records import Surface, Usage

Choice = dict[str, Any]

_decoder = msgspec.json.Decoder(Choice)


class Folding:
    """Collects the choices of one generation."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._begin, self._add = _SURFACES[surface]
        self._choices: dict[int, Choice] = {}

    def add(self, frames: Sequence[Accepted]) -> None:
        """Take frames, in order."""
        for frame, _ in frames:
            if frame.delta:
                delta = _decoder.decode(frame.delta)
                choice = self._choices.setdefault(frame.choice, self._begin(frame.choice))
                self._add(choice, delta)
                _keep_last(choice, delta)

    def whole(self, *, id: str, created: int, model: str, usage: Usage | None) -> bytes:
        """Write the answer as JSON."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        answer = ChatCompletion if self._surface == "chat" else TextCompletion
        if self._surface == "chat":
            for choice in choices:
                _close(choice["message"])
        whole = answer(id=id, created=created, model=model, choices=choices, usage=counts(usage))
        return msgspec.json.encode(whole)


def _begin_chat(index: int) -> Choice:
    message = {"role": "assistant", "content": ""}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": None}


def _begin_completion(index: int) -> Choice:
    return {"index": index, "text": "", "logprobs": None, "finish_reason": None}


def _add_chat(choice: Choice, delta: Choice) -> None:
    message = choice["message"]
    for field, value in delta.pop("delta", {}).items():
        if field == "tool_calls":
            _add_calls(message.setdefault(field, []), value or [])
        elif isinstance(value, str) and field != "role":
            message[field] = (message.get(field) or "") + value
        elif value is not None:
            message[field] = value


def _add_completion(choice: Choice, delta: Choice) -> None:
    choice["text"] += delta.pop("text", None) or ""


def _keep_last(choice: Choice, delta: Choice) -> None:
    """Join the log-probabilities; of all else the last value that was said holds."""
    _add_logprobs(choice, delta.pop("logprobs", None))
    choice.update({field: value for field, value in delta.items() if value is not None or field not in choice})


def _add_logprobs(choice: Choice, more: dict[str, Any] | None) -> None:
    if more is None:
        return
    known: dict[str, Any] = choice["logprobs"] or {}
    for field, values in more.items():
        known[field] = [*(known.get(field) or []), *values] if isinstance(values, list) else values
    choice["logprobs"] = known


def _add_calls(calls: list[Choice], more: list[Choice]) -> None:
    """Join tool calls by their index: names and arguments arrive in pieces."""
    for piece in more:
        call = next((call for call in calls if call.get("index") == piece.get("index")), None)
        if call is None:
            calls.append(piece)
            continue
        function: dict[str, Any] = call.setdefault("function", {})
        more_of_it: dict[str, Any] = piece.get("function") or {}
        for field, value in more_of_it.items():
            function[field] = (function.get(field) or "") + (value or "")


def _close(message: Choice) -> None:
    """Bring a message into the form of whole answers: calls have no index, and no content beside them is null."""
    for call in message.get("tool_calls", []):
        call.pop("index", None)
    if message.get("tool_calls") and not message["content"]:
        message["content"] = None


_SURFACES: dict[Surface, tuple[Callable[[int], Choice], Callable[[Choice, Choice], None]]] = {
    "chat": (_begin_chat, _add_chat),
    "completion": (_begin_completion, _add_completion),
}
