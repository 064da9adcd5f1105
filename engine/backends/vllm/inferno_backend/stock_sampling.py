"""Sampling parameters as clients of Triton's own vLLM backend write them, made into those of vLLM."""

import json
from collections.abc import Mapping
from typing import Any

from inferno_core.errors import InvalidRequest

_FORMER = "guided_decoding"
"""What `structured_outputs` was called before; it also named what compiles grammars, which no request chooses now."""


def read(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is null, and read what stands as JSON in a string. Raises InvalidRequest."""
    sampling = {name: value for name, value in asked.items() if value is not None}
    former = sampling.pop(_FORMER, None)
    for name, value in (("structured_outputs", sampling.get("structured_outputs")), (_FORMER, former)):
        if value is not None:
            sampling["structured_outputs"] = _form(name, value)
            break
    return sampling


def _form(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{name} is not JSON: {error}.", param=name) from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} must be a JSON object, or one in a string.", param=name)
    return {key: inner for key, inner in value.items() if key != "backend" or name != _FORMER}
