"""A generation's deltas as one object: what a stream says piece by piece, in OpenAI's form for whole answers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import UNSET, UnsetType

from inferno_core.acceptance import Accepted
from inferno_core.records import Usage

StopReason = int | str | UnsetType | None
"""What ended a choice; null for its own end, unset where the engine never tells."""

_Piece = TypeVar("_Piece")


class Cover(NamedTuple):
    """What stands around the choices of an answer. `created` is Unix time in seconds; `fingerprint` may be empty."""

    id: str
    created: int
    model: str
    fingerprint: str
    usage: Usage | None


class Folding(Protocol):
    """Collects the choices of one generation."""

    def add(self, frames: Sequence[Accepted]) -> None:
        """Take frames, in order. Raises msgspec.MsgspecError if one holds no choice of this surface."""
        ...

    def whole(self, cover: Cover) -> bytes:
        """Write the answer as JSON."""
        ...


def extended(known: list[_Piece] | None, more: list[_Piece] | None) -> list[_Piece] | None:
    """Put `more` behind what is known, in place; None until there is something."""
    if known is None or more is None:
        return more if known is None else known
    known += more
    return known


def latest(known: StopReason, said: StopReason) -> StopReason:
    """Give what holds after something more was said: null takes nothing back."""
    return known if said is UNSET or (said is None and known is not UNSET) else said
