"""What a contract has to do: turn an engine's words into the tensors of one response."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from inferno_backend.tray import End
from inferno_core.errors import InfernoError

Array = npt.NDArray[Any]


class Output(NamedTuple):
    """A response: named tensors, and an error that Triton itself is to report."""

    tensors: Sequence[tuple[str, Array]] = ()
    error: InfernoError | None = None


class Contract(Protocol):
    """One request's way of being answered. Called by one thread at a time, in order."""

    def encode(self, words: Sequence[Any], end: End | None) -> Output | None:
        """Make a response of all words since the last call, or None if there is nothing to say yet."""


def strings(values: Sequence[str | bytes]) -> Array:
    """Make a tensor of type STRING."""
    return np.array(values, dtype=np.object_)
