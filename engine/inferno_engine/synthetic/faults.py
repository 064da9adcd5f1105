"""Failures that a request asks for, so that tests can see what becomes of everything around the engine."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert

from inferno_core.errors import InvalidRequest

FIELD = "synthetic_fault"


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens in the step that would make token `token`, counted from 0, of a request's first choice.

    `crash`: the process is killed. `hang`: there is never a step again. `slow`: that step takes `seconds` more.
    `error`: the generation fails, alone. `once`: not if the generation was begun elsewhere and goes on here.
    """

    kind: Literal["crash", "hang", "slow", "error"]
    token: Annotated[int, Meta(ge=0)] = 0
    seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    once: bool = False


def fault(body: Mapping[str, Any], *, allowed: bool) -> Fault | None:
    """Read the fault that a request asks for. Raises InvalidRequest, always so unless faults are allowed."""
    value = body.get(FIELD)
    if value is None:
        return None
    if not allowed:
        raise InvalidRequest(
            f"{FIELD} is taken only by an engine whose model.json has faults set to true; leave it out.", param=FIELD
        )
    try:
        return convert(value, Fault)
    except ValidationError as error:
        raise InvalidRequest(f"{FIELD} can't be read: {error}.", param=FIELD) from error
