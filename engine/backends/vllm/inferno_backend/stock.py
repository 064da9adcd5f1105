"""The contract of Triton's own vLLM backend, so that its clients work here unchanged.

Source: the README and the tests of triton-inference-server/vllm_backend. Its outputs have one element for each of `n`
choices; a stream's are deltas, `num_output_tokens` included; without `stream` there is one response, which repeats the
prompt unless told otherwise. `token_ids` is ours, as is the prompt as `input_ids`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from inferno_backend.contract import Array, Output, strings
from inferno_backend.seam import Delta
from inferno_backend.tray import End
from inferno_core.errors import InvalidRequest

ADDITIONAL = (
    "finish_reason",
    "cumulative_logprob",
    "logprobs",
    "num_input_tokens",
    "num_output_tokens",
    "token_ids",
)


@dataclass(slots=True)
class _Gained:
    """What one choice gained since the last response."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    finish: str | None = None
    cumulative_logprob: float | None = None
    logprobs: list[object] | None = None

    def add(self, delta: Delta) -> None:
        self.text += delta.text
        self.tokens += delta.tokens
        self.finish = delta.finish
        self.cumulative_logprob = delta.cumulative_logprob
        if delta.logprobs is not None:
            self.logprobs = [*(self.logprobs or ()), *delta.logprobs]


@dataclass(slots=True)
class StockContract:
    """Answers one request in text. `prefix` is what the one response of a request without stream begins with."""

    n: int
    stream: bool
    prefix: str
    wanted: frozenset[str]
    prompt_tokens: int = 0
    _gained: list[_Gained] = field(default_factory=list)

    def encode(self, words: Sequence[Delta], end: End | None) -> Output | None:
        """Put words into a response; without stream, keep them until the end."""
        if end is not None and end.error is not None:
            return Output(error=end.error)
        self._gained = self._gained or [_Gained() for _ in range(self.n)]
        for delta in words:
            self._gained[delta.index].add(delta)
            self.prompt_tokens = delta.prompt_tokens
        if not self.stream and end is None:
            return None
        if self.stream and not words:
            return None
        gained, self._gained = self._gained, []
        return Output(self._tensors(gained))

    def _tensors(self, gained: list[_Gained]) -> list[tuple[str, Array]]:
        every = {
            "finish_reason": strings([str(choice.finish) for choice in gained]),
            "cumulative_logprob": np.array(
                [float("nan" if c.cumulative_logprob is None else c.cumulative_logprob) for c in gained],
                dtype=np.float32,
            ),
            "logprobs": strings([json.dumps(choice.logprobs) for choice in gained]),
            "num_input_tokens": np.array([self.prompt_tokens], dtype=np.uint32),
            "num_output_tokens": np.array([len(choice.tokens) for choice in gained], dtype=np.uint32),
            # Flat: `num_output_tokens` says how many are whose.
            "token_ids": np.array([token for choice in gained for token in choice.tokens], dtype=np.int32),
        }
        text = ("text_output", strings([self.prefix + choice.text for choice in gained]))
        return [text, *((name, every[name]) for name in ADDITIONAL if name in self.wanted)]


def prefix(prompt: str, stream: bool, exclude_input: bool | None) -> str:
    """Say what an answer repeats of its prompt. Raises InvalidRequest for a stream that is to repeat it."""
    if not stream:
        return "" if exclude_input else prompt
    if exclude_input is False:
        raise InvalidRequest(
            "exclude_input_in_output can't be false together with stream: leave one of them out.",
            param="exclude_input_in_output",
        )
    return ""
