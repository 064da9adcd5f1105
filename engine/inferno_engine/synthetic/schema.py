"""Values that are valid under a JSON schema, drawn from its keywords.

Understood is what language models are asked for: types, enum, const, objects, arrays, ranges, lengths, patterns,
formats, references, allOf, anyOf, and oneOf as anyOf. A keyword that could make a value wrong unseen is refused.
"""

import json
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, cast

from inferno_engine.synthetic import pattern, words
from inferno_engine.synthetic.conjunction import Unsatisfiable, joined
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.formats import FORMATS

_REFUSED = frozenset(
    {"not", "if", "then", "else", "contains", "dependencies", "dependentRequired", "dependentSchemas"}
    | {"patternProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef"}
)
_TIDY_DEPTH = 5
"""From here on nothing is drawn that may be left out, so that recursive schemas come to an end."""
_DEEPEST = 48
_TRIES = 64
_MOST_VALUES = 2000
_MOST_CHARS = 1 << 17
"""More than an answer of the largest context has: what lies behind it is never said."""

Schema = Mapping[str, Any]


def valid(schema: Any, draws: Draws) -> Any:
    """Draw a value that is valid under `schema`, as Python has JSON. Raises Unsatisfiable."""
    return _Instance(schema, draws).value(schema, 0)


class _Instance:
    """Draws one value, part by part."""

    def __init__(self, root: Any, draws: Draws) -> None:
        self._root = root
        self._draws = draws
        self._left = _MOST_VALUES
        self._chars_left = _MOST_CHARS

    def value(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise Unsatisfiable(f"it has no end, or more than {_MOST_VALUES} values")
        if schema is True or schema == {}:
            return self._words(1)
        if not isinstance(schema, Mapping):
            raise Unsatisfiable("it allows no value here" if schema is False else "a schema must be an object")
        schema = self._flat(cast("Schema", schema), depth)
        if "const" in schema:
            return self._given(schema["const"])
        if "enum" in schema:
            return self._given(self._draws.pick(_of_type(_some(schema["enum"], "enum"), schema.get("type"))))
        return self._typed(schema, depth)

    def _given(self, value: Any) -> Any:
        """Take a value as the schema has it."""
        self._spend(len(json.dumps(value)))
        return value

    def _spend(self, chars: int) -> None:
        self._chars_left -= chars
        if self._chars_left < 0:
            raise Unsatisfiable(f"its values have more than {_MOST_CHARS} characters")

    def _typed(self, schema: Schema, depth: int) -> Any:
        kinds = schema.get("type") or _implied(schema)
        kind = self._draws.pick(_some(kinds, "type")) if isinstance(kinds, list) else kinds
        draw = _TYPES.get(kind)
        if draw is None:
            raise Unsatisfiable(f"type {kind!r} is not one of JSON's")
        return draw(self, schema, depth)

    def _flat(self, schema: Schema, depth: int) -> dict[str, Any]:
        """Follow references, and join alternatives and conjunctions with what stands beside them."""
        flat = dict(schema)
        for hops in range(_DEEPEST + 1):
            if refused := _REFUSED & flat.keys():
                raise Unsatisfiable(f"{min(refused)} is not supported")
            if "$ref" in flat:
                more = [self._resolve(flat.pop("$ref"))]
            elif "allOf" in flat:
                more = flat.pop("allOf")
            elif options := flat.pop("anyOf", None) or flat.pop("oneOf", None):
                more = [self._option(options, depth)]
            else:
                return flat
            for each in more:
                flat = joined(flat, each)
            if hops == _DEEPEST:
                break
        raise Unsatisfiable("a reference leads back to itself")

    def _option(self, options: Any, depth: int) -> Any:
        options = _some(options, "anyOf")
        if depth >= _TIDY_DEPTH:
            options = [option for option in options if _is_plain(option)] or options
        return self._draws.pick(options)

    def _resolve(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise Unsatisfiable(f"$ref {reference!r} leads out of it")
        place: Any = self._root
        for escaped in reference[1:].split("/")[1:]:
            name = escaped.replace("~1", "/").replace("~0", "~")
            try:
                place = place[int(name) if isinstance(place, list) else name]
            except (LookupError, TypeError, ValueError):
                raise Unsatisfiable(f"$ref {reference!r} leads nowhere") from None
        return place

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: Schema = schema.get("properties") or {}
        required: list[str] = schema.get("required") or []
        least, most = _bounds(schema, "minProperties", "maxProperties", len(required), _MOST_VALUES)
        others = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        for name, each in properties.items():
            if name in required or (depth < _TIDY_DEPTH and self._draws.below(2)):
                made[name] = self.value(each, depth + 1)
        for name in required:
            if name not in made:
                made[name] = self.value(others, depth + 1)
        for name in [name for name in made if name not in required][most - len(required) :]:
            del made[name]
        if not properties and others is not False and depth < _TIDY_DEPTH:
            # A map of anything has one or two members.
            least = max(least, min(most, 1 + self._draws.below(2)))
        return self._filled(made, properties, others, least, depth)

    def _filled(self, made: dict[str, Any], properties: Schema, others: Any, least: int, depth: int) -> dict[str, Any]:
        """Add members until there are `least`."""
        left = [name for name in properties if name not in made]
        while len(made) < least:
            if left:
                name = left.pop(0)
                made[name] = self.value(properties[name], depth + 1)
            else:
                made[self._words(1)] = self.value(others, depth + 1)
        return made

    def array(self, schema: Schema, depth: int) -> list[Any]:
        first: list[Any] = schema.get("prefixItems") or []
        others: Any = schema.get("items", True)
        least, most = _bounds(schema, "minItems", "maxItems", 0, _MOST_VALUES)
        more = 0 if depth >= _TIDY_DEPTH else self._draws.below(3)
        count = min(most, max(least, len(first)) + more)
        if others is False:
            count = min(count, len(first))
        made: list[Any] = []
        for place in range(count):
            each: Any = first[place] if place < len(first) else others
            item = self.value(each, depth + 1)
            tries = 0
            while schema.get("uniqueItems") and item in made and tries < _TRIES:
                item, tries = self.value(each, depth + 1), tries + 1
            if tries == _TRIES:
                break
            made.append(item)
        if len(made) < least:
            raise Unsatisfiable(f"minItems {least} can't be reached")
        return made

    def string(self, schema: Schema, _: int) -> str:
        least, most = _bounds(schema, "minLength", "maxLength", 0, pattern.LONGEST)
        self._spend(least)
        if "pattern" in schema:
            return self._matching(schema["pattern"], least, most)
        if (form := FORMATS.get(schema.get("format") or "")) is not None:
            text = form(self._draws)
            if least <= len(text) <= most:
                return text
            raise Unsatisfiable(f"format {schema['format']!r} and a length from {least} to {most} don't go together")
        text = self._words(1 + self._draws.below(4))
        while len(text) < least:
            text += " " + self._words(1)
        # Where a word is too long its beginning has to do, and a space at the end would look odd.
        return text[:most].rstrip().ljust(least, "a")

    def _matching(self, expression: str, least: int, most: int) -> str:
        try:
            for _ in range(_TRIES):
                text = pattern.matching(expression, self._draws)
                if least <= len(text) <= most:
                    return text
        except pattern.Unmatchable as error:
            raise Unsatisfiable(f"pattern {expression!r}: {error}") from error
        raise Unsatisfiable(f"pattern {expression!r} and a length from {least} to {most} don't go together")

    def integer(self, schema: Schema, _: int) -> int:
        # The whole numbers among the multiples of a fraction.
        step = Fraction(str(schema.get("multipleOf", 1))).numerator
        return int(self._multiple(schema, step, 1))

    def number(self, schema: Schema, _: int) -> float:
        return self._multiple(schema, schema.get("multipleOf", 0.25), 0)

    def _multiple(self, schema: Schema, step: float, apart: float) -> float:
        """Draw a multiple of `step` within the range; `apart` is how far from an excluded end the next number lies."""
        apart = apart or step
        lows = [schema.get("minimum"), _excluded(schema, "minimum", "exclusiveMinimum", apart)]
        highs = [schema.get("maximum"), _excluded(schema, "maximum", "exclusiveMaximum", -apart)]
        low = max((each for each in lows if each is not None), default=None)
        high = min((each for each in highs if each is not None), default=None)
        if low is None:
            low = 0 if high is None or high >= 0 else high - 100 * step
        first = math.ceil(low / step)
        last = first + 99 if high is None else math.floor(high / step)
        if last < first:
            return self._between(schema, step)
        drawn = first + self._draws.below(min(last - first, 99) + 1)
        return drawn * step

    def _between(self, schema: Schema, step: float) -> float:
        """Draw from a range that is narrower than the steps that are taken where none are asked for."""
        low, high = schema.get("minimum"), schema.get("maximum")
        low = schema.get("exclusiveMinimum") if low is None else low
        high = schema.get("exclusiveMaximum") if high is None else high
        kinds = schema.get("type")
        if "multipleOf" in schema or kinds == "integer" or low is None or high is None or low > high:
            raise Unsatisfiable(f"no multiple of {step} lies in its range")
        return float((low + high) / 2)

    def boolean(self, _: Schema, __: int) -> bool:
        return bool(self._draws.below(2))

    def null(self, _: Schema, __: int) -> None:
        return None

    def _words(self, count: int) -> str:
        return " ".join(self._draws.pick(words.VOCABULARY) for _ in range(count))


_TYPES: Mapping[str, Callable[[_Instance, Schema, int], Any]] = {
    "object": _Instance.object,
    "array": _Instance.array,
    "string": _Instance.string,
    "integer": _Instance.integer,
    "number": _Instance.number,
    "boolean": _Instance.boolean,
    "null": _Instance.null,
}


def _some(options: Any, name: str) -> list[Any]:
    if not isinstance(options, list) or not options:
        raise Unsatisfiable(f"{name} must be a list that is not empty")
    some: list[Any] = cast("Any", options)
    return some


def _of_type(values: list[Any], kinds: str | list[Any] | None) -> list[Any]:
    """Keep the values of these types; all of them where no type is said."""
    if kinds is None:
        return values
    names = kinds if isinstance(kinds, list) else [kinds]
    kept = [value for value in values if any(_is_of(value, name) for name in names)]
    if not kept:
        raise Unsatisfiable(f"no value of enum has type {kinds!r}")
    return kept


def _is_of(value: Any, kind: str) -> bool:
    if kind == "integer":
        return type(value) is int or (isinstance(value, float) and value.is_integer())
    return type(value) in _PYTHON.get(kind, ())


def _implied(schema: Schema) -> str:
    """Guess the type of a schema that doesn't say it from what it says of values."""
    for kind, names in _IMPLYING.items():
        if names & schema.keys():
            return kind
    return "string"


_PYTHON: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_IMPLYING = {
    "object": {"properties", "required", "additionalProperties", "minProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
    "string": {"pattern", "minLength", "maxLength", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}


def _bounds(schema: Schema, least: str, most: str, low: int, high: int) -> tuple[int, int]:
    low, high = max(low, schema.get(least, 0)), min(high, schema.get(most, high))
    if low > high:
        raise Unsatisfiable(f"{least} and {most} leave no room")
    return low, high


def _excluded(schema: Schema, bound: str, name: str, apart: float) -> float | None:
    """Give the nearest number beside an excluded end, which is a number itself, or says so of `bound` (draft 4)."""
    value = schema.get(name)
    if value is True:
        value = schema.get(bound)
    return None if value is None or value is False else value + apart


def _is_plain(option: Any) -> bool:
    if not isinstance(option, Mapping):
        return True
    option = cast("Schema", option)
    kind = option.get("type")
    return "const" in option or "enum" in option or (isinstance(kind, str) and kind not in ("object", "array"))
