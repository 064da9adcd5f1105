"""The document's operations: what is asked at each path, and what is answered."""

from typing import Any

from msgspec import Struct

from inferno_api.document import errors, examples, headers, stream
from inferno_api.document.components import reference
from inferno_api.responses.answers import ModelCard, ModelList
from inferno_api.surfaces import SURFACES, SurfaceKind
from inferno_core.records import Surface

FAMILIES = {"/v1": "", "/api/consumer/v1": "Consumer"}
"""Where the inference surface is mounted, and what is added to its operations' ids there."""

_STREAMED = (
    "With `stream`: true the answer is a stream of server-sent events, each sent as soon as the engine has made it. "
    "The status line waits for the engine's verdict, for a second at most."
)
_NAMED: dict[Surface, tuple[str, str]] = {
    "chat": ("createChatCompletion", f"The model says the conversation's next turn. {_STREAMED}"),
    "completion": ("createCompletion", f"The model goes on where each prompt ends. {_STREAMED}"),
    "embedding": ("createEmbedding", "A model that embeds gives each text a vector, near to those of like meaning."),
}

_ANYWHERE = (400, 408, 431, 500)
"""What any route may answer: to a request that can't be read, and to what nobody foresaw."""

_WITH_A_KEY = (401, 403, 503)
_GENERATION = (*_ANYWHERE, *_WITH_A_KEY, 404, 413, 429, 504)
_CONTROL: dict[str, tuple[int, ...]] = {"/readyz": (503,), "/metrics": (403, 503)}


def inference() -> dict[str, Any]:
    """Give the inference routes, at each place where they are mounted."""
    paths: dict[str, Any] = {}
    for family, suffix in FAMILIES.items():
        for surface in SURFACES:
            paths[family + surface.path] = {"post": _generation(surface, suffix)}
        paths[f"{family}/models"] = {"get": _models(suffix)}
        paths[f"{family}/models/{{model}}"] = {"get": _model(suffix)}
    return paths


def control(paths: dict[str, Any]) -> dict[str, Any]:
    """Add to what FastAPI says of its routes the errors that stand around them."""
    return {
        path: {method: _with_errors(operation, path) for method, operation in operations.items()}
        for path, operations in paths.items()
    }


def _with_errors(operation: dict[str, Any], path: str) -> dict[str, Any]:
    success = {status: {**answer, "headers": headers.of_answers()} for status, answer in operation["responses"].items()}
    return {**operation, "responses": {**success, **errors.references(*_ANYWHERE, *_CONTROL.get(path, ()))}}


def _generation(surface: SurfaceKind, suffix: str) -> dict[str, Any]:
    id, about = _NAMED[surface.surface]
    content: dict[str, Any] = {"application/json": _json(surface.whole)}
    if surface.chunk is not None:
        content["text/event-stream"] = stream.content(surface.chunk)
    body = {"application/json": {"schema": reference(surface.body), "examples": examples.requests(surface.path)}}
    return {
        **_operation(id + suffix, surface.summary, about),
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The answer.", "headers": headers.of_generations(), "content": content},
            **errors.references(*_GENERATION),
        },
    }


def _models(suffix: str) -> dict[str, Any]:
    about = "The models that this key may call, the default first."
    return {**_operation(f"listModels{suffix}", "List the models that serve", about), "responses": _read(ModelList)}


def _model(suffix: str) -> dict[str, Any]:
    name = {
        "name": "model",
        "in": "path",
        "required": True,
        "description": "The model's name.",
        "schema": {"type": "string"},
    }
    operation = _operation(f"retrieveModel{suffix}", "Show a model", "One model, if it serves and the key may call it.")
    return {
        **operation,
        "parameters": [name, *operation["parameters"]],
        "responses": {**_read(ModelCard), **errors.references(404)},
    }


def _operation(id: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "operationId": id,
        "summary": summary,
        "description": description,
        "tags": ["inference"],
        "security": [{"key": []}],
        "parameters": headers.parameters(),
    }


def _read(answer: type[Struct]) -> dict[str, Any]:
    success = {
        "description": "The answer.",
        "headers": headers.of_answers(),
        "content": {"application/json": _json(answer)},
    }
    return {"200": success, **errors.references(*_ANYWHERE, *_WITH_A_KEY)}


def _json(answer: type[Struct]) -> dict[str, Any]:
    return {"schema": reference(answer), "examples": examples.answers(answer)}
