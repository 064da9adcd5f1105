import json
from typing import Any

import pytest

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.forms import form

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def text(**body: Any) -> str:
    made = form(body)
    assert made is not None
    return made(Draws(b"k")).text


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}},
        {"structured_outputs": {"json": SCHEMA}},
        {"structured_outputs": {"json": json.dumps(SCHEMA)}},
    ],
)
def test_json_under_a_schema_can_be_asked_for_in_three_ways(body: dict[str, Any]):
    assert set(json.loads(text(**body))) == {"a"}


@pytest.mark.parametrize(
    "body", [{"response_format": {"type": "json_object"}}, {"structured_outputs": {"json_object": True}}]
)
def test_any_object_can_be_asked_for(body: dict[str, Any]):
    assert isinstance(json.loads(text(**body)), dict)


def test_a_choice_and_an_expression_can_be_asked_for():
    assert text(structured_outputs={"choice": ["left", "right"]}) in ("left", "right")
    assert text(structured_outputs={"regex": "a{3}"}) == "aaa"


@pytest.mark.parametrize("body", [{}, {"response_format": {"type": "text"}}, {"response_format": None}])
def test_prose_has_no_form(body: dict[str, Any]):
    assert form(body) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"response_format": {"type": "structural_tag"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"minimum": "x"}}}}, "response_format"),
        ({"structured_outputs": {"grammar": "root ::= x"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "("}}, "structured_outputs"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs"),
        ({"structured_outputs": {"json": "{"}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a", "choice": ["a"]}}, "structured_outputs"),
        ({"structured_outputs": {"regex": "a"}, "response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refused:
        text(**body)
    assert refused.value.param == param
