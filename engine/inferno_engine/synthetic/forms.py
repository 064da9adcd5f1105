"""Texts of a form: JSON, one of some choices, or what matches an expression, as a request asks for it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct, ValidationError, convert

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic import pattern, schema
from inferno_engine.synthetic.conjunction import Unsatisfiable
from inferno_engine.synthetic.draws import Draws

_T = TypeVar("_T")
_ANY_OBJECT = {"type": "object", "additionalProperties": {"type": "string"}}


class ToolCall(NamedTuple):
    """A call of a function, whose arguments begin at character `at` of the answer's text."""

    at: int
    id: str
    name: str


class Formed(NamedTuple):
    """A text that has its form, or the arguments of `calls` one after the other."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"


Form = Callable[[Draws], Formed]


class _JsonSchema(Struct):
    schema: Any = None


class _ResponseFormat(Struct):
    """OpenAI's way of asking for JSON."""

    type: str
    json_schema: _JsonSchema | None = None


class _StructuredOutputs(Struct):
    """vLLM's way, without those of its constraints that this engine doesn't have."""

    json: str | dict[str, Any] | None = None
    regex: str | None = None
    choice: list[str] | None = None
    json_object: bool | None = None
    grammar: str | None = None
    structural_tag: str | None = None


def form(body: Mapping[str, Any]) -> Form | None:
    """Read which form the answer is to have; None: that of prose. Raises InvalidRequest."""
    asked = {name: made for name, read in _FIELDS.items() if (made := read(body.get(name))) is not None}
    if len(asked) > 1:
        raise InvalidRequest(f"{' and '.join(asked)} can't be asked for together; leave one out.", param=min(asked))
    return next(iter(asked.values()), None)


def json_form(wanted: Any, param: str) -> Form:
    """Give the form of JSON that is valid under the schema `wanted`, which `param` has in the request."""

    def draw(draws: Draws) -> Formed:
        try:
            value = schema.valid(wanted, draws)
        except Unsatisfiable as error:
            raise InvalidRequest(
                f"The synthetic engine can't follow the schema of {param}: {error}.", param=param
            ) from error
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
            raise InvalidRequest(f"{param} has a schema with a value of a wrong kind: {error}.", param=param) from error
        return Formed(json.dumps(value, ensure_ascii=False))

    return draw


def _response_format(value: Any) -> Form | None:
    asked = _converted(value, _ResponseFormat, "response_format")
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return json_form(_ANY_OBJECT, "response_format")
    if asked.type == "json_schema" and asked.json_schema is not None:
        return json_form(asked.json_schema.schema, "response_format")
    raise InvalidRequest(
        f"response_format has type {asked.type!r}; it must be text, json_object, or json_schema with a json_schema.",
        param="response_format",
    )


def _structured_outputs(value: Any) -> Form | None:
    name = "structured_outputs"
    asked = _converted(value, _StructuredOutputs, name)
    if asked is None:
        return None
    if asked.grammar is not None or asked.structural_tag is not None:
        raise InvalidRequest(f"The synthetic engine knows json, regex and choice in {name}, no other.", param=name)
    forms = [
        json_form(_read(asked.json), name) if asked.json is not None else None,
        json_form(_ANY_OBJECT, name) if asked.json_object else None,
        _choice(asked.choice) if asked.choice is not None else None,
        _regex(asked.regex) if asked.regex is not None else None,
    ]
    given = [form for form in forms if form is not None]
    if len(given) != 1:
        raise InvalidRequest(f"{name} must have exactly one of json, json_object, regex and choice.", param=name)
    return given[0]


_FIELDS: Mapping[str, Callable[[Any], Form | None]] = {
    "response_format": _response_format,
    "structured_outputs": _structured_outputs,
}


def _choice(options: list[str]) -> Form:
    if not options:
        raise InvalidRequest("structured_outputs has no choice to choose from.", param="structured_outputs")
    return lambda draws: Formed(draws.pick(options))


def _regex(expression: str) -> Form:
    def draw(draws: Draws) -> Formed:
        try:
            return Formed(pattern.matching(expression, draws))
        except pattern.Unmatchable as error:
            raise InvalidRequest(
                f"The synthetic engine can't follow the regex of structured_outputs: {error}.",
                param="structured_outputs",
            ) from error

    return draw


def _read(value: str | dict[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise InvalidRequest(
            f"structured_outputs has a json that is no JSON: {error}.", param="structured_outputs"
        ) from error


def _converted(value: Any, kind: type[_T], param: str) -> _T | None:
    if value is None:
        return None
    try:
        return convert(value, kind)
    except ValidationError as error:
        raise InvalidRequest(f"{param} can't be read: {error}.", param=param) from error
