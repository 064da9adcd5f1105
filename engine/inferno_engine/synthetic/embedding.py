"""Embeddings, made up: unit vectors that follow from the words of a text, so that alike texts lie close together."""

import base64
import hashlib
import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic import truncation
from inferno_engine.synthetic.prompts import prompts
from inferno_engine.synthetic.truncation import NONE, Truncation

DIMENSIONS, MOST_DIMENSIONS = 256, 4096
_PLACES = 4


@dataclass(frozen=True, slots=True)
class Inputs:
    """Texts that are to be embedded, and how."""

    texts: tuple[str, ...]
    dimensions: int
    base64: bool
    truncation: Truncation = NONE

    def within(self, context: int) -> "Inputs":
        """Give the same request with its texts cut, if that was asked for. Raises InvalidRequest."""
        if self.truncation.tokens is None:
            return self
        return replace(self, texts=tuple(self.truncation.cut(text, context) for text in self.texts))

    def embedding(self, index: int) -> list[float] | str:
        """Give the embedding of one text, as the request wants it written."""
        made = vector(self.texts[index], self.dimensions)
        return base64.b64encode(array("f", made).tobytes()).decode() if self.base64 else made

    def fit(self, context: int) -> None:
        """Raise ContextLengthExceeded if a text is longer than `context` tokens."""
        for text in self.texts:
            if (tokens := len(text.split())) > context:
                raise ContextLengthExceeded(
                    f"This model's context is {context} tokens; an input has {tokens}. Shorten it.", param="input"
                )


def inputs(body: Mapping[str, Any]) -> Inputs:
    """Understand the body of an embedding request. Raises InvalidRequest."""
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise InvalidRequest(f"encoding_format is {encoding!r}; it must be float or base64.", param="encoding_format")
    dimensions = body.get("dimensions")
    dimensions = DIMENSIONS if dimensions is None else dimensions
    if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 1 <= dimensions <= MOST_DIMENSIONS:
        raise InvalidRequest(
            f"dimensions is {dimensions!r}; it must be an integer from 1 to {MOST_DIMENSIONS}.", param="dimensions"
        )
    texts = prompts(body.get("input"), "input")
    return Inputs(texts, dimensions, encoding == "base64", truncation.read(body))


def vector(text: str, dimensions: int) -> list[float]:
    """Embed `text`: each word adds to a few dimensions, and the text as a whole a little to one."""
    made = [0.0] * dimensions
    for word in text.split():
        _add(made, word, 1.0)
    _add(made, f"\0{text}", 0.05)
    length = math.sqrt(sum(value * value for value in made))
    if not length:
        made[0] = length = 1.0
    return [value / length for value in made]


def _add(made: list[float], text: str, weight: float) -> None:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    for number in array("I", digest):
        made[(number >> 1) % len(made)] += weight if number & 1 else -weight
