"""How tokens that were accepted before travel to the engine's core, with the request that goes on after them."""

from collections.abc import Sequence
from typing import Any

KEY = "inferno_accepted"
"""In `SamplingParams.extra_args`; absent from a request that begins at its first token."""


def accepted_of(params: Any) -> Sequence[int]:
    """Give the tokens that a request of the engine goes on after; none for one that begins, or pools."""
    extra = getattr(params, "extra_args", None)
    return extra.get(KEY, ()) if extra else ()
