"""The two ways to ask a Triton for words: our backend's, and that of the stock vLLM backend, for completions alone."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from inferno_core import records
from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InvalidRequest, from_code
from inferno_core.records import Final, Outcome, Usage
from inferno_stream import tensors
from inferno_stream.tensors import Request


class Contract(Protocol):
    """One request's way of being asked and answered."""

    def ask(self, request: Request) -> None:
        """Put the inputs into `request`; raises `InvalidRequest` for what this backend can't do."""
        ...

    def read(self, outputs: Mapping[str, bytes], *, last: bool) -> Sequence[EngineFrame]:
        """Give the frames of a response; raises an `InfernoError` where the engine reports one."""
        ...


class _Error(Struct):
    code: str
    message: str
    param: str | None = None


_errors = msgspec.json.Decoder(_Error)
_usages = msgspec.json.Decoder(Usage)


class OpenAIContract:
    """Our backend: the OpenAI body in, choice objects, token ids and usage out."""

    def __init__(self, request: records.Request) -> None:
        self._request = request

    def ask(self, request: Request) -> None:
        """Put the body in as it came."""
        tensors.add_string(request, "openai_surface", self._request.surface)
        tensors.add_string(request, "openai_body", self._request.body)
        tensors.add_string(request, "generation_id", self._request.id)

    def read(self, outputs: Mapping[str, bytes], *, last: bool) -> Sequence[EngineFrame]:
        """Give a frame for each choice object."""
        frames = list(_frames(outputs)) if "choice" in outputs else []
        if "error" in outputs:
            (text,) = tensors.strings(outputs["error"])
            error = _errors.decode(text)
            raise from_code(error.code, error.message, error.param)
        if not last:
            return frames
        if "usage" not in outputs:
            raise EngineFailed("The engine ended this answer without saying why; try again.")
        (text,) = tensors.strings(outputs["usage"])
        return _ending(frames, Final(Outcome.FINISHED, usage=_usages.decode(text)))


def _frames(outputs: Mapping[str, bytes]) -> Sequence[EngineFrame]:
    bodies, finishes = tensors.strings(outputs["choice"]), tensors.strings(outputs["finish_reason"])
    choices, counts = tensors.integers(outputs["choice_index"]), tensors.integers(outputs["token_count"])
    tokens = tensors.integers(outputs["token_ids"])
    frames: list[EngineFrame] = []
    place = 0
    for choice, count, body, finish in zip(choices, counts, bodies, finishes, strict=True):
        words = tuple(tokens[place : place + count])
        frames.append(EngineFrame(choice, words, body, finish.decode() or None))
        place += count
    return frames


def _ending(frames: Sequence[EngineFrame], final: Final) -> Sequence[EngineFrame]:
    """Put the end on the last frame, or on one of its own."""
    if not frames:
        return [EngineFrame(-1, (), b"", final=final)]
    *others, frame = frames
    return [*others, EngineFrame(frame.choice, frame.tokens, frame.delta, frame.finish, final)]


UNKNOWN_TOKEN = -1
"""Stands for a token whose id the engine did not tell."""

_PLAIN = ("temperature", "top_p", "top_k", "min_p", "stop", "max_tokens", "presence_penalty", "frequency_penalty")
_EXTRA = ("repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids")


class StockContract:
    """The stock vLLM backend: a prompt in, text out. It has no chat template, and does not tell token ids."""

    def __init__(self, request: records.Request) -> None:
        self._request = request
        self._prompt_tokens = 0
        self._completion_tokens = 0

    def ask(self, request: Request) -> None:
        """Put the prompt and the sampling parameters in."""
        if self._request.surface == "chat":
            raise InvalidRequest(
                f"Model {self._request.model!r} is served by Triton's stock vLLM backend, which has no chat; "
                f"use /v1/completions, or serve it with Inferno's backend."
            )
        body: dict[str, Any] = msgspec.json.decode(self._request.body)
        tensors.add_string(request, "text_input", _prompt(body))
        tensors.add_bool(request, "stream", True)
        tensors.add_bool(request, "exclude_input_in_output", True)
        tensors.add_string(request, "sampling_parameters", msgspec.json.encode(_sampling(body, self._request)))
        for wanted in ("return_finish_reason", "return_num_input_tokens", "return_num_output_tokens"):
            tensors.add_bool(request, wanted, True)

    def read(self, outputs: Mapping[str, bytes], *, last: bool) -> Sequence[EngineFrame]:
        """Give a frame of the text that came."""
        frames = [self._frame(outputs)] if "text_output" in outputs else []
        if not last:
            return frames
        return _ending(frames, Final(Outcome.FINISHED, usage=Usage(self._prompt_tokens, self._completion_tokens)))

    def _frame(self, outputs: Mapping[str, bytes]) -> EngineFrame:
        text = tensors.strings(outputs["text_output"])[0].decode()
        reason = tensors.strings(outputs["finish_reason"])[0].decode() if "finish_reason" in outputs else ""
        finish = None if reason in ("", "None", "null") else reason
        count = sum(tensors.integers(outputs.get("num_output_tokens", b"")))
        self._completion_tokens += count
        self._prompt_tokens = max([self._prompt_tokens, *tensors.integers(outputs.get("num_input_tokens", b""))])
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return EngineFrame(0, (UNKNOWN_TOKEN,) * count, msgspec.json.encode(choice), finish)


def _prompt(body: Mapping[str, Any]) -> str:
    match body.get("prompt"):
        case str(prompt) | [str(prompt)] if body.get("n", 1) == 1:
            return prompt
        case _:
            raise InvalidRequest(
                "Triton's stock vLLM backend takes one prompt, as a string, and gives one choice.", param="prompt"
            )


def _sampling(body: Mapping[str, Any], request: records.Request) -> dict[str, Any]:
    """Give vLLM's sampling parameters; completions have 16 tokens where nothing is said, as with OpenAI."""
    said = {name: body[name] for name in (*_PLAIN, *_EXTRA) if body.get(name) is not None}
    return {"max_tokens": 16, "seed": request.seed} | said
