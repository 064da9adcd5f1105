"""What a request may ask of a grammar's compiler: schemas, regular expressions and grammars that repeat are bounded.

An engine looks at each place in a repetition of characters for each token that it knows: a string of up to 100
characters takes seconds of CPU with a vocabulary of 50,000, a longer one hardly more, arrays next to nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from inferno_core.errors import InvalidRequest

FIELDS = ("response_format", "structured_outputs", "tools")
"""What makes an engine follow a grammar."""
MOST_TIMES = 10_000
"""The most that anything may be repeated."""
MOST_PLACES = 2048
"""The most places in all repetitions of characters together, of which each counts as LONG at most."""
LONG = 128

_LENGTHS = ("minLength", "maxLength")
_COUNTS = ("minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties")
_EXPRESSIONS = ("pattern", "regex", "grammar")
_DOCUMENTS = ("json", "structural_tag")
# `{2}`, `{2,}`, `{2,5}`, and Lark's `~2..5`.
_REPEATED = re.compile(r"\{\s*(\d+)\s*(?:,\s*(\d*)\s*)?\}|~\s*(\d+)(?:\s*\.\.\s*(\d+))?")


def check(asked: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for the field of a request that asks for too much."""
    for field in FIELDS:
        places = 0
        for name, times, is_length in _repetitions(asked.get(field)):
            if times > MOST_TIMES:
                raise InvalidRequest(f"{field} has {name} {times}; at most {MOST_TIMES} is taken.", param=field)
            places += min(int(times), LONG) if is_length else 0
        if places > MOST_PLACES:
            raise InvalidRequest(
                f"{field} bounds the lengths of too many strings: minLength, maxLength and repetitions in regular "
                f"expressions, {LONG} each at most, come to {places} together; at most {MOST_PLACES} are taken. "
                "Leave some out.",
                param=field,
            )


def _repetitions(value: Any) -> Iterator[tuple[str, float, bool]]:
    """Find what is repeated in a JSON value: its name, how often, and whether that is characters."""
    # Not by recursion: a value may be nested deeper than Python's stack.
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                yield from _of_pair(name, inner)
                left.append(_document(inner) if name in _DOCUMENTS else inner)
            # The names in this are regular expressions.
            for name in _mapping(value.get("patternProperties")):
                yield from _of_pair("pattern", name)


def _of_pair(name: str, value: Any) -> Iterator[tuple[str, float, bool]]:
    if isinstance(value, int | float) and name in (*_LENGTHS, *_COUNTS):
        yield name, value, name in _LENGTHS
    elif isinstance(value, str) and name in _EXPRESSIONS:
        for found in _REPEATED.finditer(value):
            # More digits than that are no number that anybody takes.
            yield f"a repetition in {name} of", max(int(each[:9]) for each in found.groups() if each), True


def _document(value: Any) -> Any:
    """Read what may stand as JSON in a string. The engine refuses what is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
