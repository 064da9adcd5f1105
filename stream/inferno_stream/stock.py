"""Triton's stock vLLM backend: a prompt in, text out, for completions alone. It tells no token ids."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from inferno_core import records
from inferno_core.effects import EngineFrame
from inferno_core.errors import InvalidRequest
from inferno_core.records import Final, Outcome, Usage
from inferno_stream import tensors
from inferno_stream.tensors import Request

UNKNOWN_TOKEN = -1
"""Stands for a token whose id the engine did not tell."""

_PLAIN = ("temperature", "top_p", "top_k", "min_p", "stop", "max_tokens", "presence_penalty", "frequency_penalty")
_EXTRA = ("repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids")
_KNOWN = frozenset({*_PLAIN, *_EXTRA, "model", "prompt", "n", "seed", "user"})


class StockContract:
    """One request's way of being asked and answered."""

    def __init__(self, request: records.Request) -> None:
        self._request = request
        self._prompt_tokens = 0
        self._completion_tokens = 0

    def ask(self, request: Request) -> None:
        """Put the prompt and the sampling parameters in. Raises `InvalidRequest` for what this backend can't do."""
        if self._request.surface != "completion":
            raise InvalidRequest(
                f"Model {self._request.model!r} is served by Triton's stock vLLM backend, which has no "
                f"{self._request.surface}; use /v1/completions, or serve it with Inferno's backend."
            )
        body: dict[str, Any] = msgspec.json.decode(self._request.body)
        _check(body)
        tensors.add_string(request, "text_input", _prompt(body))
        tensors.add_bool(request, "stream", True)
        tensors.add_bool(request, "exclude_input_in_output", True)
        tensors.add_string(request, "sampling_parameters", msgspec.json.encode(_sampling(body, self._request)))
        for wanted in ("return_finish_reason", "return_num_input_tokens", "return_num_output_tokens"):
            tensors.add_bool(request, wanted, True)

    def read(self, outputs: Mapping[str, bytes], *, last: bool) -> Sequence[EngineFrame]:
        """Give a frame of the text that came; the last one with the end."""
        frames = [self._frame(outputs)] if "text_output" in outputs else []
        if not last:
            return frames
        final = Final(Outcome.FINISHED, usage=Usage(self._prompt_tokens, self._completion_tokens))
        if not frames:
            return [EngineFrame(-1, (), b"", final=final)]
        return [msgspec.structs.replace(frames[0], final=final)]

    def _frame(self, outputs: Mapping[str, bytes]) -> EngineFrame:
        text = tensors.strings(outputs["text_output"])[0].decode()
        reason = tensors.strings(outputs["finish_reason"])[0].decode() if "finish_reason" in outputs else ""
        finish = None if reason in ("", "None", "null") else reason
        count = sum(tensors.integers(outputs.get("num_output_tokens", b"")))
        self._completion_tokens += count
        self._prompt_tokens = max([self._prompt_tokens, *tensors.integers(outputs.get("num_input_tokens", b""))])
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return EngineFrame(0, (UNKNOWN_TOKEN,) * count, msgspec.json.encode(choice), finish)


def _check(body: Mapping[str, Any]) -> None:
    """Refuse by name what this backend would leave out silently."""
    unable = next((name for name, value in body.items() if name not in _KNOWN and _asks(value)), None)
    if unable is not None:
        raise InvalidRequest(
            f"Triton's stock vLLM backend does not know '{unable}'; leave it out, or have the model served with "
            "Inferno's backend.",
            param=unable,
        )


def _asks(value: object) -> bool:
    return not (value is None or value is False or value in ("", [], {}))


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
