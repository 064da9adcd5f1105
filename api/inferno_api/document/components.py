"""The document's shared parts: the schemas of all types, the headers, the errors, the way in."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from inferno_api.document import errors, headers, parameters
from inferno_api.failures import ErrorBody
from inferno_api.responses import answers
from inferno_api.responses.answers import ModelCard, ModelList
from inferno_api.surfaces import SURFACES


def all(control: dict[str, Any]) -> dict[str, Any]:
    """Give all components; `control` are those of FastAPI's routes."""
    return {
        "schemas": {**control.get("schemas", {}), **_SCHEMAS},
        "responses": errors.answers(),
        "parameters": headers.requests(),
        "headers": headers.answers(),
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "A key, as `Authorization: Bearer YOUR_KEY`."}
        },
    }


def reference(type_: type) -> dict[str, Any]:
    """Point to a type's schema."""
    return _REFERENCES[type_]


def _schemas() -> tuple[dict[type, dict[str, Any]], dict[str, Any]]:
    """Give how each type is referred to, and all schemas by name."""
    types = [ErrorBody, ModelList, ModelCard]
    types += [type_ for kind in SURFACES for type_ in (kind.body, kind.whole, kind.chunk) if type_ is not None]
    references, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for kind in SURFACES:
        parameters.explain(schemas[kind.body.__name__]["properties"])
    for type_ in _written():
        schemas[type_.__name__]["required"] = [
            field.encode_name for field in msgspec.structs.fields(type_) if field.default is not UNSET
        ]
    return dict(zip(types, references, strict=True)), schemas


def _written() -> list[type[Struct]]:
    """Give the types of answers: all their fields are written, those with a default too, but for those left unset."""
    return [
        each
        for each in vars(answers).values()
        if isinstance(each, type) and issubclass(each, Struct) and each.__module__ == answers.__name__
    ]


_REFERENCES, _SCHEMAS = _schemas()
