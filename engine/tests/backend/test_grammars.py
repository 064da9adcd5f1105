import json
from typing import Any

import pytest
from hearing import ask
from inferno_backend import grammars
from inferno_backend.grammars import LONG, MOST_PLACES, MOST_TIMES
from inferno_backend.synthetic_engine import SyntheticEngine

from inferno_core.errors import InvalidRequest

FEW = MOST_TIMES + 1
USUAL = {
    "type": "object",
    "properties": {
        "maxLength": {"type": "string", "maxLength": 200, "pattern": r"^[a-z]{1,63}(\.[a-z]{1,63}){1,8}$"},
        "items": {"type": "array", "maxItems": 5000, "items": {"$ref": "#/$defs/name"}},
    },
    "$defs": {"name": {"type": "string", "minLength": 1, "maxLength": MOST_TIMES}},
}


def schema(value: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}}


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = {"type": "array", "items": value}
    return value


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"response_format": None, "tools": "none"},
        schema(USUAL),
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": USUAL}}]},
        {"structured_outputs": {"json": json.dumps(USUAL)}},
        {"structured_outputs": {"regex": r"\d{3}-\d{4}"}},
        {"structured_outputs": {"grammar": 'root ::= ("a" | "b"){1,100}'}},
        {"structured_outputs": {"json": "no JSON"}},
        schema({"maxItems": True, "maxLength": "10", "pattern": 5}),
    ],
)
def test_what_is_usual_is_taken(asked: dict[str, Any]):
    grammars.check(asked)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        *((schema({name: FEW}), name) for name in ("minLength", "maxLength", "minItems", "maxItems", "maxProperties")),
        (schema(nested({"maxItems": 1e300}, 10_000)), "maxItems"),
        (schema({"type": "string", "pattern": f"(a{{1,{FEW}}})*"}), "pattern"),
        (schema({"patternProperties": {f"^a{{{FEW}}}$": {}}}), "pattern"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"maxItems": FEW}}}]}, "maxItems"),
        ({"structured_outputs": {"json": json.dumps({"anyOf": [{"minItems": FEW}]})}}, "minItems"),
        ({"structured_outputs": {"json": {"minItems": FEW}}}, "minItems"),
        ({"structured_outputs": {"regex": f"a{{ {FEW} , }}"}}, "regex"),
        ({"structured_outputs": {"regex": "a{" + "9" * 10_000 + "}"}}, "regex"),
        ({"structured_outputs": {"grammar": f'start: "a"~3..{FEW}'}}, "grammar"),
        (
            {"structured_outputs": {"structural_tag": json.dumps({"structures": [{"schema": {"maxItems": FEW}}]})}},
            "maxItems",
        ),
    ],
)
def test_what_is_repeated_too_often_is_refused_by_name(asked: dict[str, Any], name: str):
    with pytest.raises(InvalidRequest, match=name) as refused:
        grammars.check(asked)
    assert refused.value.param == next(iter(asked))
    assert str(MOST_TIMES) in refused.value.message


def test_many_strings_with_a_length_are_refused_together():
    most = MOST_PLACES // LONG
    fields = {f"p{number}": {"type": "string", "maxLength": 500 + number} for number in range(most)}
    grammars.check(schema({"properties": fields}))
    with pytest.raises(InvalidRequest, match="lengths of too many strings"):
        grammars.check(schema({"properties": {**fields, "one more": {"type": "string", "minLength": 1}}}))


@pytest.mark.parametrize("surface", ["chat", "completion"])
def test_the_synthetic_engine_refuses_it(surface: str):
    engine = SyntheticEngine(step_ms=0)
    engine.open(lambda: None)
    body = {"messages": [{"role": "user", "content": "x"}], "prompt": "x", **schema({"maxItems": FEW})}
    error = ask(engine, surface, body).error
    engine.close()
    assert isinstance(error, InvalidRequest)
    assert error.param == "response_format"
