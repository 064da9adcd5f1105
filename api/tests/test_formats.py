from typing import Any

import msgspec
import pytest

from inferno_api.requests import formats
from inferno_api.requests.formats import ResponseFormat, StructuredOutputs

SCHEMA = {"type": "object"}


def form(**fields: Any) -> Any:
    return msgspec.convert(fields, ResponseFormat)


def structured(**fields: Any) -> StructuredOutputs:
    return msgspec.convert(fields, StructuredOutputs)


def test_forms_of_openai() -> None:
    assert not formats.constrains(None)
    assert not formats.constrains(form(type="text"))
    assert formats.constrains(form(type="json_object"))
    sent = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
    assert msgspec.to_builtins(form(**sent)) == sent


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "structural_tag"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "n"}},
        {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "a b", "schema": SCHEMA}},
        {"type": "json_schema", "json_schema": {"name": "n", "schema": {"description": "x" * 70_000}}},
        {},
    ],
)
def test_forms_that_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        form(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"json": SCHEMA},
        {"json": '{"type": "object"}'},
        {"regex": "a+", "disable_any_whitespace": True},
        {"choice": ["yes", "no"]},
        {"grammar": 'root ::= "a"'},
        {"json_object": True, "whitespace_pattern": " ?"},
    ],
)
def test_each_way_of_vllm(fields: dict[str, Any]) -> None:
    assert msgspec.to_builtins(structured(**fields)) == fields


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "exactly one of"),
        ({"regex": "a", "choice": ["a"]}, "regex, choice"),
        ({"json_object": False}, "leave it out"),
        ({"json": "no schema"}, "JSON schema"),
        ({"json": "[1]"}, "JSON schema"),
        ({"json": "[" * 70_000}, "65536"),
        ({"json": "[" * 5000}, "JSON schema"),
        ({"json": {"maxItems": 1e9}}, "maxItems"),
        ({"regex": "a{99999}"}, "written out"),
        ({"regex": "a", "whitespace_pattern": "a{99999}"}, "written out"),
        ({"grammar": "x" * 70_000}, "65536"),
        ({"choice": ["x" * 70_000]}, "65536"),
        ({"choice": []}, "length >= 1"),
        ({"choice": ["a"] * 1025}, "length <= 1024"),
        ({"regex": "a", "structural_tag": "{}"}, "null"),
    ],
)
def test_ways_that_are_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        structured(**fields)
