"""What a client is told of a request that an engine refused: in the platform's words, never in the engine's own.

An engine's sentence may tell of the machine, and changes with each version. It is only searched for what it is about.
"""

import re
from collections.abc import Mapping
from typing import Any

from inferno_core.errors import ContextLengthExceeded, EngineFailed, InfernoError, InvalidRequest, Unavailable

_TOO_LONG = re.compile(r"context length|max_model_len|maximum model length", re.IGNORECASE)
# Where a prompt stands, whichever surface it came by.
_PROMPTS = ("messages", "prompt", "input")
# Where sentences have a field: first, in quotes, after `$.`; or a word with an underscore anywhere.
_FIELD = re.compile(r"^\w+|(?<=[.`'\"])\w+|\w+_\w+")


def refusal(status: int, said: str, param: str | None, asked: Mapping[str, Any], context: int) -> InfernoError:
    """Judge by the HTTP status of an engine's refusal, and by what it said of `param` in what was `asked`.

    `context` is the longest prompt and answer together, in tokens.
    """
    if status in (429, 503):
        return Unavailable("The engine has no capacity now; try again.", retry_after_s=1)
    if status >= 500:
        return EngineFailed("The engine failed at this request.")
    if _TOO_LONG.search(said):
        return ContextLengthExceeded(
            f"This model's context is {context} tokens; the prompt and the answer that is asked for do not fit. "
            "Shorten one of them.",
            param=param if param in asked else next((field for field in _PROMPTS if field in asked), None),
        )
    return misfit(param if param in asked else _named(said, asked), asked)


def check_allowance(asked: Mapping[str, Any], most: int, context: int) -> None:
    """Refuse more tokens than the `most` that a prompt leaves: an engine would silently give fewer.

    Raises ContextLengthExceeded.
    """
    field = "max_tokens" if asked.get("max_completion_tokens") is None else "max_completion_tokens"
    wanted = asked.get(field)
    if isinstance(wanted, int) and wanted > most:
        raise ContextLengthExceeded(
            f"This model's context is {context} tokens; the prompt leaves {most} for the answer, and {wanted} were "
            "asked for. Shorten one of them.",
            param=field,
        )


def misfit(param: str | None, asked: Mapping[str, Any]) -> InvalidRequest:
    """Refuse the value of one field, or the fields' combination where nobody knows which it is."""
    if param is None:
        return InvalidRequest(
            "The engine can't honour this request: a value is of a wrong kind, or fields don't go together. "
            "Leave out those that are not needed."
        )
    value = asked.get(param)
    # Words may be private, and this message gets around.
    has = f"is {value}, which" if isinstance(value, int | float) else "has a value that"
    return InvalidRequest(f"{param} {has} this model's engine does not take; change it.", param=param)


def _named(said: str, asked: Mapping[str, Any]) -> str | None:
    """Find the field that a sentence is about, if that is one of those asked for."""
    return next((word for word in _FIELD.findall(said) if word in asked), None)
