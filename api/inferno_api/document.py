"""/openapi.json: the inference routes are described by the very types that validate them, the rest by FastAPI."""

from typing import Any

import msgspec

from inferno_api.answers import ChatChunk, ChatCompletion, ModelCard, ModelList, TextChunk, TextCompletion
from inferno_api.chat import ChatBody
from inferno_api.completion import CompletionBody
from inferno_api.failures import ErrorBody

_TYPES = (
    ChatBody,
    CompletionBody,
    ChatCompletion,
    ChatChunk,
    TextCompletion,
    TextChunk,
    ModelList,
    ModelCard,
    ErrorBody,
)
_FAMILIES = ("/v1", "/api/consumer/v1")
_ERRORS = {
    "400": "The request can't be honoured as it is written.",
    "401": "No key, or one that is not known.",
    "403": "The key may not do this.",
    "404": "There is no such model.",
    "413": "The body is larger than is read.",
    "429": "A limit of the key is reached.",
    "503": "A part that is needed is away or full.",
    "504": "A deadline passed.",
}


def encode(base: dict[str, Any]) -> bytes:
    """Write the whole document as JSON; `base` is what FastAPI says of its own routes."""
    _, schemas = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    components = base.get("components", {})
    document = {
        **base,
        "paths": {**_paths(), **base["paths"]},
        "components": {
            **components,
            "schemas": {**components.get("schemas", {}), **schemas},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(document)


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for family in _FAMILIES:
        paths[f"{family}/chat/completions"] = {
            "post": _generation("Answer a chat", ChatBody, ChatCompletion, ChatChunk)
        }
        paths[f"{family}/completions"] = {
            "post": _generation("Continue a text", CompletionBody, TextCompletion, TextChunk)
        }
        paths[f"{family}/models"] = {"get": _reading("List the models that serve", ModelList)}
        paths[f"{family}/models/{{model}}"] = {"get": _one_model()}
    return paths


def _generation(summary: str, body: type, whole: type, chunk: type) -> dict[str, Any]:
    operation = _reading(summary, whole)
    operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(body)}}}
    # Each event's data is one chunk, or the text `[DONE]`.
    operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": _reference(chunk)}
    return operation


def _one_model() -> dict[str, Any]:
    parameter = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    return {**_reading("Show a model", ModelCard), "parameters": [parameter]}


def _reading(summary: str, answer: type) -> dict[str, Any]:
    success = {"description": "The answer.", "content": {"application/json": {"schema": _reference(answer)}}}
    failure = {"application/json": {"schema": _reference(ErrorBody)}}
    errors = {status: {"description": text, "content": failure} for status, text in _ERRORS.items()}
    return {
        "summary": summary,
        "tags": ["inference"],
        "security": [{"key": []}],
        "responses": {"200": success, **errors},
    }


def _reference(type_: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{type_.__name__}"}
