"""JSON schemas that clients send: an engine compiles them into grammars, so what that may cost is bounded here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from inferno_api.requests import regexes, structure
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_ALTERNATIVES, MAX_DEPTH, MAX_GRAMMAR_BYTES, MAX_PROPERTIES, MAX_REPEATS

_COSTLY = re.compile(rb'"(?:pattern|enum|(?:min|max)(?:Items|Length|Properties))')
_REPEATS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def check(field: str, schema: Mapping[str, Any]) -> None:
    """Refuse a schema that is too large, or that has something repeated too often. Raises `Fault`.

    Whether it is a schema at all is the engine's to judge. Most schemas show by their text that they are harmless.
    """
    text = structure.bound(field, schema, most_bytes=MAX_GRAMMAR_BYTES, most_depth=MAX_DEPTH)
    if _COSTLY.search(text):
        for part in _objects(schema):
            _check_repeats(field, part)
            _check_regexes(field, part)
            if (count := len(_list(part.get("enum")))) > MAX_ALTERNATIVES:
                raise Fault(field, f"an `enum` in it has {count} values, and at most {MAX_ALTERNATIVES} are taken")
    if text.count(b":") > MAX_PROPERTIES:
        count = sum(len(_object(part.get("properties"))) for part in _objects(schema))
        if count > MAX_PROPERTIES:
            raise Fault(field, f"it has {count} properties, and at most {MAX_PROPERTIES} are taken; send fewer")


def _objects(schema: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Give all objects that a schema is made of, itself first."""
    waiting: list[object] = [schema]
    while waiting:
        item = waiting.pop()
        waiting.extend(structure.inside(item))
        if found := _object(item):
            yield found


def _check_repeats(field: str, part: Mapping[str, Any]) -> None:
    for name in _REPEATS:
        times = part.get(name)
        if isinstance(times, int | float) and times > MAX_REPEATS:
            raise Fault(field, f"`{name}` in it is more than the {MAX_REPEATS} that can be followed; ask for less")


def _check_regexes(field: str, part: Mapping[str, Any]) -> None:
    for regex in (part.get("pattern"), *_object(part.get("patternProperties"))):
        if isinstance(regex, str):
            regexes.check(field, regex)


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()
