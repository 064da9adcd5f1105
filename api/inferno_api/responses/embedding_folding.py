"""Embeddings, gathered: a vector is tens of thousands of characters, so what the engine wrote is never read."""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import Raw

from inferno_api.responses.answers import Embedding, EmbeddingList, PromptCounts
from inferno_api.responses.folding import Cover
from inferno_core.acceptance import Accepted


class EmbeddingFolding:
    """Collects the vectors of one request."""

    def __init__(self) -> None:
        self._vectors: dict[int, bytes] = {}

    def add(self, frames: Sequence[Accepted]) -> None:
        """Take frames, of which each has one vector."""
        self._vectors.update((frame.choice, frame.delta) for frame, _ in frames if frame.delta)

    def whole(self, cover: Cover) -> bytes:
        """Write the answer as JSON."""
        read = None if cover.usage is None else cover.usage.prompt_tokens
        vectors = [Raw(self._vectors[index]) for index in sorted(self._vectors)]
        answer = EmbeddingList(
            data=cast("list[Embedding]", vectors),
            model=cover.model,
            usage=None if read is None else PromptCounts(read, read),
        )
        return msgspec.json.encode(answer)
