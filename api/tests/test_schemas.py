from typing import Any

import pytest

from inferno_api.requests import schemas
from inferno_api.requests.fault import Fault

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "ages": {"type": "array", "maxItems": 10}},
    "required": ["name"],
    "$defs": {"x": {"enum": ["a", "b"]}},
}


def test_what_programs_send_is_taken() -> None:
    schemas.check("schema", PERSON)
    schemas.check("schema", {})
    schemas.check("schema", {"properties": 5, "enum": {}, "pattern": [], "patternProperties": "x", "maxItems": "y"})


def deep(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (deep(32), "more than 32 deep"),
        ({"description": "x" * 70_000}, "at most 65536"),
        ({"properties": {f"p{n}": {} for n in range(513)}}, "513 properties"),
        ({"anyOf": [{"properties": {f"p{n}{m}": {} for n in range(300)}} for m in range(2)]}, "600 properties"),
        ({"items": {"maxItems": 1e9}}, "`maxItems` in it is more"),
        ({"minLength": 10**400}, "`minLength`"),
        ({"properties": {"a": {"pattern": "(a{1,1000}){1,1000}"}}}, "written out"),
        ({"patternProperties": {"(a{1,1000}){1,1000}": {}}}, "written out"),
        ({"enum": list(range(1025))}, "1025 values"),
    ],
)
def test_what_would_cost_too_much_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(Fault, match=why) as caught:
        schemas.check("schema", schema)
    assert caught.value.field == "schema"
