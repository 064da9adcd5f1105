"""Texts in any of the four forms that OpenAI's completions and embeddings take them in."""

import re
from typing import Annotated, Any, TypeVar

from msgspec import Meta, ValidationError, convert

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic import words

_T = TypeVar("_T")
_PIECES = re.compile(r"\s*\S+|\s+")
_Token = Annotated[int, Meta(ge=0)]


def prompts(value: Any, param: str) -> tuple[str, ...]:
    """Read a text, texts, or either as token ids. Raises InvalidRequest."""
    if isinstance(value, str):
        return (value,)
    if tokens := converted(value, list[_Token]):
        return (words.decode(tokens),)
    if texts := converted(value, list[str]):
        return tuple(texts)
    if lists := converted(value, list[list[_Token]]):
        return tuple(words.decode(each) for each in lists)
    raise InvalidRequest(
        f"{param} must be a string, a list of strings, a list of token ids, or a list of such lists.", param=param
    )


def pieces(text: str) -> list[str]:
    """Part a text into its tokens, so that the pieces joined are the text."""
    return _PIECES.findall(text)


def converted(value: Any, kind: type[_T]) -> _T | None:
    """Take `value` as a `kind`, or None if it is none."""
    try:
        return convert(value, kind)
    except ValidationError:
        return None
