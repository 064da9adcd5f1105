"""Prompts that are too long and may be cut, by the request's own word."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from inferno_core.errors import InvalidRequest

_FIELD, _SIDE = "truncate_prompt_tokens", "truncation_side"
_FITS = -1


class Truncation(NamedTuple):
    """How many tokens of a prompt are kept (-1: as many as fit; None: all), and whether those at its end."""

    tokens: int | None = None
    keeps_end: bool = False

    def cut(self, text: str, room: int) -> str:
        """Cut a prompt that has `room` tokens in the model's context. Raises InvalidRequest if it is to keep more."""
        if self.tokens is None:
            return text
        if self.tokens > room:
            raise InvalidRequest(f"{_FIELD} is {self.tokens}, and a prompt has room for {room}.", param=_FIELD)
        kept = room if self.tokens == _FITS else self.tokens
        pieces = text.split()
        if len(pieces) <= kept:
            return text
        return " ".join(pieces[len(pieces) - kept :] if self.keeps_end else pieces[:kept])


NONE = Truncation()


def read(body: Mapping[str, Any]) -> Truncation:
    """Read what a request says of it. Raises InvalidRequest."""
    tokens, side = body.get(_FIELD), body.get(_SIDE)
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < _FITS):
        raise InvalidRequest(f"{_FIELD} is {tokens!r}; it must be an integer, -1 for what fits.", param=_FIELD)
    if side not in (None, "left", "right"):
        raise InvalidRequest(f"{_SIDE} is {side!r}; it must be left or right.", param=_SIDE)
    return Truncation(tokens, keeps_end=side == "left")
