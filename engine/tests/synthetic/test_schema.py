import json
import re
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct
from pydantic import BaseModel, Field

from inferno_engine.synthetic.conjunction import Unsatisfiable
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.schema import valid


def drawn(schema: Any, count: int = 40) -> list[Any]:
    values = [valid(schema, Draws(bytes([seed]))) for seed in range(count)]
    return [json.loads(json.dumps(value)) for value in values]


class Line(Struct):
    """As a Go, a Rust or a msgspec client asks for it."""

    item: str
    count: Annotated[int, Meta(ge=1, le=5)]
    price: Annotated[float, Meta(gt=0, lt=1)]
    unit: Literal["kg", "m"] | None = None


class Order(Struct, forbid_unknown_fields=True):
    lines: Annotated[list[Line], Meta(min_length=2, max_length=3)]
    code: Annotated[str, Meta(pattern="^[A-Z]{3}-[0-9]+$", max_length=7)]
    pair: tuple[int, str]
    tags: dict[str, int]
    note: Annotated[str, Meta(min_length=30, max_length=33)] = ""


def test_what_msgspec_asks_for_it_can_read():
    schema = msgspec.json.schema(Order)
    for value in drawn(schema):
        msgspec.convert(value, Order)


class Tree(BaseModel):
    """As a Python client asks for it: with references to itself."""

    value: int = Field(multiple_of=7, ge=-20, le=100)
    left: "Tree | None"
    children: list["Tree"] = []


class Person(BaseModel):
    name: str
    kind: Literal["a", "b"]
    home: str | int | None
    tree: Tree
    seen: set[int] = Field(min_length=2)
    ratio: float = Field(gt=0.5, lt=0.6)


def test_what_pydantic_asks_for_it_can_read():
    for value in drawn(Person.model_json_schema()):
        Person.model_validate(value)


def test_members_that_may_be_left_out_sometimes_are():
    schema = {"type": "object", "properties": {"a": {"type": "null"}, "b": True}, "required": ["b"]}
    assert {tuple(value) for value in drawn(schema)} == {("b",), ("a", "b")}


def test_the_number_of_members_is_kept_to():
    many = {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 3}
    few = {"properties": dict.fromkeys("abcdef", True), "required": ["c"], "maxProperties": 2}
    assert all(len(value) >= 3 for value in drawn(many))
    assert all("c" in value and len(value) <= 2 for value in drawn(few))
    assert drawn({"type": "object", "maxProperties": 0}, 3) == [{}] * 3


def test_parts_that_must_hold_together_are_joined():
    schema = {
        "$defs": {"low": {"minimum": 3}, "named": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "allOf": [{"$ref": "#/$defs/named"}, {"properties": {"n": {"$ref": "#/$defs/low", "maximum": 4}}}],
    }
    assert {value["n"] for value in drawn(schema)} == {3, 4}


def test_alternatives_stand_beside_what_holds_for_all():
    schema = {"type": "integer", "oneOf": [{"const": 1}, {"minimum": 10, "maximum": 11}]}
    assert set(drawn(schema)) == {1, 10, 11}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, {0.25, 0.5}),
        ({"type": "number", "minimum": 0.1, "maximum": 0.2}, {(0.1 + 0.2) / 2}),
        ({"type": "integer", "maximum": -3, "multipleOf": 50}, {-50 * step for step in range(1, 101)}),
        ({"minimum": 5, "exclusiveMinimum": True, "maximum": 6, "type": "integer"}, {6}),
    ],
)
def test_numbers_lie_in_their_range(schema: Any, expected: set[float]):
    assert set(drawn(schema)) <= expected


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({"format": "date-time"}, r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ({"type": "string", "format": "email"}, r"\w+@\w+\.example"),
        ({"type": "string", "format": "uuid"}, r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ({"type": "string", "maxLength": 2}, r"\w{2}"),
        ({"pattern": "^x+$", "minLength": 2, "maxLength": 3}, r"x{2,3}"),
        (True, r"\w{4}"),
    ],
)
def test_texts_have_their_form(schema: Any, form: str):
    assert all(re.fullmatch(form, value) for value in drawn(schema))


def test_a_type_leaves_those_values_that_have_it():
    assert set(drawn({"type": ["string", "null"], "enum": ["a", 1, True, None]})) == {"a", None}
    assert set(drawn({"type": "integer", "enum": ["a", 1, 2.0, 2.5, True]})) == {1, 2.0}


def test_a_whole_number_is_a_multiple_of_a_fraction():
    values = drawn({"type": "integer", "multipleOf": 2.5, "minimum": 1})
    assert all(type(value) is int and value % 2.5 == 0 for value in values)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"not": {}}, "not is not supported"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        (False, "allows no value"),
        ({"type": "thing"}, "thing"),
        ({"enum": []}, "enum"),
        ({"type": "string", "enum": [1, None]}, "no value of enum"),
        ({"type": "string", "format": "email", "maxLength": 5}, "don't go together"),
        ({"$ref": "#"}, "leads back"),
        ({"$ref": "#/$defs/no"}, "leads nowhere"),
        ({"$ref": "https://elsewhere.example/"}, "leads out"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no end"),
        ({"type": "array", "minItems": 200, "items": {"type": "array", "minItems": 200}}, "values"),
        ({"type": "array", "minItems": 900, "items": {"type": "string", "minLength": 9000}}, "characters"),
        ({"type": "array", "minItems": 900, "items": {"const": "a" * 9000}}, "characters"),
        ({"type": "array", "minItems": 900, "items": {"enum": ["a" * 9000]}}, "characters"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no multiple"),
        ({"minLength": 3, "maxLength": 2}, "no room"),
        ({"pattern": "("}, "pattern"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "type is said twice"),
        ({"type": "array", "minItems": 2, "uniqueItems": True, "items": {"const": 1}}, "can't be reached"),
    ],
)
def test_what_cannot_be_followed_says_why(schema: Any, reason: str):
    with pytest.raises(Unsatisfiable, match=re.escape(reason)):
        valid(schema, Draws(b"k"))
