"""A JSON schema in words, as the reference page shows it."""

import json
from html import escape
from typing import Any

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minLength": "characters: at least",
    "maxLength": "characters: at most",
    "minItems": "items: at least",
    "maxItems": "items: at most",
    "maxProperties": "members: at most",
    "pattern": "matching",
}


def html(schema: dict[str, Any]) -> str:
    """Say what a schema takes; names of types are links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return " or ".join(map(_value, schema["enum"]))
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return " or ".join(html(each) for each in kinds if each.get("type") != "null") or "null"
    return _kind(schema) + _bounds(schema)


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "anything")
    if kind == "array" and schema.get("items"):
        return f"list of ({html(schema['items'])})"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of ({html(schema['additionalProperties'])})"
    return "list" if kind == "array" else escape(str(kind))


def _bounds(schema: dict[str, Any]) -> str:
    bounds = [f"{words} {escape(str(schema[key]))}" for key, words in _BOUNDS.items() if key in schema]
    return f" ({', '.join(bounds)})" if bounds else ""


def _value(value: Any) -> str:
    return f"<code>{escape(json.dumps(value))}</code>"
