"""The committed document, read as by a program that knows nothing else: which bodies there are, and what they take."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"

Schema = dict[str, Any]
Path_ = tuple[str | int, ...]


class Body(NamedTuple):
    """What a path takes: a schema, and requests that are right."""

    path: str
    schema: Schema
    examples: list[dict[str, Any]]

    @property
    def properties(self) -> dict[str, Schema]:
        """The schema of each parameter."""
        properties: dict[str, Schema] = self.schema["properties"]
        return properties

    @property
    def can_stream(self) -> bool:
        """Whether its answer may be a stream."""
        return "stream" in self.properties


@cache
def document() -> dict[str, Any]:
    """Read the committed document."""
    read: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return read


@cache
def bodies() -> list[Body]:
    """Give every body that is described, once for each path."""
    found: list[Body] = []
    for path, operations in document()["paths"].items():
        if "post" in operations:
            content = operations["post"]["requestBody"]["content"]["application/json"]
            examples = [example["value"] for example in content["examples"].values()]
            found.append(Body(path, resolve(content["schema"]), examples))
    return found


def resolve(schema: Schema) -> Schema:
    """Follow a reference."""
    while "$ref" in schema:
        place = document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        schema = place
    return schema


def options(schema: Schema) -> list[Schema]:
    """Give the kinds of values that a schema takes, one or several."""
    schema = resolve(schema)
    if "anyOf" in schema:
        return [option for each in schema["anyOf"] for option in options(each)]
    return [schema]


def accepts(schema: Schema, value: object) -> bool:
    """Say whether a schema takes a value."""
    return any(_takes(option, value) for option in options(schema))


def _takes(schema: Schema, value: object) -> bool:
    if "enum" in schema and not any(value == each and type(value) is type(each) for each in schema["enum"]):
        return False
    if "type" in schema and not _is(schema["type"], value):
        return False
    if isinstance(value, str):
        return _takes_text(schema, value)
    if isinstance(value, list):
        return _takes_list(schema, value)
    if isinstance(value, dict):
        return _takes_object(schema, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _takes_number(schema, value)
    return True


def _is(kind: str, value: object) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    kinds: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    if kind == "null":
        return value is None
    return isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _takes_number(schema: Schema, value: float) -> bool:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _takes_text(schema: Schema, value: str) -> bool:
    fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    return fits and ("pattern" not in schema or re.search(schema["pattern"], value) is not None)


def _takes_list(schema: Schema, value: Sequence[object]) -> bool:
    fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
    return fits and all(accepts(schema.get("items", {}), item) for item in value)


def _takes_object(schema: Schema, value: dict[str, object]) -> bool:
    if any(name not in value for name in schema.get("required", ())):
        return False
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
        return False
    names, known = schema.get("propertyNames", {}), schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    return all(
        _takes(names, name)
        and (accepts(known[name], item) if name in known else others is True or (others and accepts(others, item)))
        for name, item in value.items()
    )


def within(schema: Schema, value: object, path: Path_ = ()) -> Iterator[tuple[Path_, Schema]]:
    """Give every place inside a value that a schema takes, with the schema of that place."""
    if path:
        yield path, schema
    chosen = next((option for option in options(schema) if _takes(option, value)), {})
    if isinstance(value, dict):
        for name in {**chosen.get("properties", {}), **value}:
            inner = chosen.get("properties", {}).get(name) or chosen.get("additionalProperties")
            if isinstance(inner, dict):
                yield from within(inner, value.get(name), (*path, name))
    elif isinstance(value, list) and value and chosen.get("items"):
        yield from within(chosen["items"], value[0], (*path, 0))


def changed(value: Any, path: Path_, new: object) -> Any:
    """Give a copy of a value that has another one at a place."""
    if not path:
        return new
    step, *rest = path
    if isinstance(value, list):
        assert isinstance(step, int)
        return [changed(item, tuple(rest), new) if at == step else item for at, item in enumerate(value)]
    return {**value, step: changed(value.get(step, {}), tuple(rest), new)}
