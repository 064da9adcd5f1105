"""Two JSON schemas that both have to hold, as one."""

from collections.abc import Callable, Mapping
from typing import Any, cast


class Unsatisfiable(ValueError):
    """No value can be drawn for a schema. Says why."""


def joined(one: Mapping[str, Any], other: Any) -> dict[str, Any]:
    """Join two schemas that both have to hold. Raises Unsatisfiable."""
    if other is True:
        return dict(one)
    if not isinstance(other, Mapping):
        raise Unsatisfiable("it allows no value here")
    whole = dict(one)
    for name, value in cast("Mapping[str, Any]", other).items():
        known = whole.get(name)
        if name not in whole or known == value:
            whole[name] = value
        elif (join := _JOINS.get(name)) is not None:
            whole[name] = join(known, value)
        elif name not in _SAYING_NOTHING:
            raise Unsatisfiable(f"{name} is said twice, in parts that have to hold together")
    return whole


_SAYING_NOTHING = {"title", "description", "default", "examples", "$defs", "definitions", "$schema", "$id", "$comment"}
_JOINS: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": lambda one, other: {
        name: {"allOf": [one[name], other[name]]} if name in one and name in other else (one | other)[name]
        for name in one | other
    },
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "enum": lambda one, other: [value for value in one if value in other],
    "allOf": lambda one, other: [*one, *other],
    "additionalProperties": lambda one, other: False if False in (one, other) else {"allOf": [one, other]},
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
