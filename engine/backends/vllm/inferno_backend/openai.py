"""Inferno's own contract: an OpenAI body in; choice objects, token ids and usage out.

One response holds what came since the last: as a rule one engine step, several when the way out lags. Boundaries are
kept: each choice object stands with the tokens that it was made of.
"""

import json
from collections.abc import Sequence

import numpy as np

from inferno_backend.contract import Array, Output, strings
from inferno_backend.seam import Choice
from inferno_backend.tray import End

_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")


class OpenAIContract:
    """Answers one request in choice objects. Errors travel in a tensor of their own, never as Triton's."""

    def encode(self, words: Sequence[Choice], end: End | None) -> Output | None:
        """Put words and end into one response."""
        tensors = _words(words) if words else []
        if end is not None:
            tensors += _end(end)
        return Output(tensors) if tensors else None


def _words(words: Sequence[Choice]) -> list[tuple[str, Array]]:
    return [
        ("choice", strings([word.body for word in words])),
        ("choice_index", np.array([word.index for word in words], dtype=np.int32)),
        ("token_count", np.array([len(word.tokens) for word in words], dtype=np.int32)),
        ("token_ids", np.array([token for word in words for token in word.tokens], dtype=np.int32)),
        ("finish_reason", strings([word.finish for word in words])),
    ]


def _end(end: End) -> list[tuple[str, Array]]:
    if end.error is not None:
        error = {"code": end.error.code, "message": end.error.message, "param": end.error.param}
        return [("error", strings([json.dumps(error)]))]
    if end.usage is None:
        return []
    return [("usage", strings([json.dumps({name: getattr(end.usage, name) for name in _COUNTS})]))]
