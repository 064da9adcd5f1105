"""Embeddings by the contract of Triton's own vLLM backend: `embedding_request` in, the vector as JSON text out."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from inferno_backend.contract import Output, strings
from inferno_backend.seam import Choice
from inferno_backend.tray import End
from inferno_core.errors import InvalidRequest

ADDITIONAL = ("num_input_tokens", "num_output_tokens")


class EmbeddingContract:
    """Answers one request with one response, which has `wanted` besides the vector."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._vector: list[float] = []

    def encode(self, words: Sequence[Choice], end: End | None) -> Output | None:
        """Keep the vector until the end."""
        for word in words:
            self._vector = json.loads(word.body)["embedding"]
        if end is None:
            return None
        if end.error is not None:
            return Output(error=end.error)
        counts = {"num_input_tokens": end.usage.prompt_tokens if end.usage is not None else 0, "num_output_tokens": 0}
        numbers = [(name, np.array([counts[name]], np.uint32)) for name in ADDITIONAL if name in self._wanted]
        return Output([("text_output", strings([json.dumps(self._vector)])), *numbers])


def body(asked: dict[str, Any]) -> dict[str, Any]:
    """Make the OpenAI body of what is asked: one text, or one list of tokens. Raises InvalidRequest."""
    given = asked.get("input")
    if not isinstance(given, str) and not _is_tokens(given):
        raise InvalidRequest(
            "embedding_request.input must be one text or one list of tokens.", param="embedding_request"
        )
    pooling = asked.get("pooling_params") or {}
    dimensions = pooling.get("dimensions") if isinstance(pooling, dict) else None
    # Its clients write the number as a list of one.
    number = dimensions[0] if isinstance(dimensions, list) and dimensions else dimensions
    return {"input": given, "encoding_format": "float"} | ({} if number is None else {"dimensions": number})


def _is_tokens(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(type(token) is int for token in given)
