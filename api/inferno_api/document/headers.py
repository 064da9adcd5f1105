"""The headers that requests may carry and answers do."""

from typing import Any

_TEXT = {"type": "string"}
_MILLISECONDS = {"type": "integer", "minimum": 0}

_ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "x-request-id": ("The request's name in the platform's logs: yours, if you sent a plain one.", _TEXT),
    "x-inferno-model-version": ("The version of the model that answers.", _TEXT),
    "x-inferno-queue-ms": (
        "How long the request waited for an engine, in milliseconds. Absent from a stream whose status was sent before "
        "an engine took it.",
        _MILLISECONDS,
    ),
    "x-inferno-overhead-ms": (
        "From the request's last byte to its standing in the log, in milliseconds.",
        _MILLISECONDS,
    ),
    "retry-after": ("When a repeat may succeed, in seconds.", {"type": "integer", "minimum": 1}),
    "x-should-retry": (
        "Whether a client should repeat the request by itself; where it is absent, its own rule holds.",
        {"type": "string", "enum": ["true", "false"]},
    ),
    "www-authenticate": ("The scheme that is expected.", {"const": "Bearer"}),
}

_REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "x-request-id": (
        "Your own name for the request, of letters, digits, `_` and `-`; one of another kind is replaced.",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    ),
    "traceparent": (
        "W3C trace context, of which the platform's spans become children. One that can't be read is ignored.",
        {"type": "string", "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]},
    ),
}

_ALWAYS = ("x-request-id",)
_OWN = ("x-inferno-model-version", "x-inferno-queue-ms", "x-inferno-overhead-ms")
_LATER = (*_OWN, "retry-after")
_OF_ERRORS = {400: _OWN, 401: ("www-authenticate",), 429: _LATER, 500: _OWN, 503: _LATER, 504: _OWN}
"""What an error's answer carries besides; Inferno's own headers only where the request had been admitted."""


def answers() -> dict[str, Any]:
    """Give all headers of answers, as the document's components."""
    return {name: {"description": text, "schema": schema} for name, (text, schema) in _ANSWERS.items()}


def requests() -> dict[str, Any]:
    """Give all headers of requests, as the document's components."""
    return {
        name: {"name": name, "in": "header", "description": text, "required": False, "schema": schema}
        for name, (text, schema) in _REQUESTS.items()
    }


def parameters() -> list[dict[str, Any]]:
    """Point an operation to the headers that it reads."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in _REQUESTS]


def of_answers() -> dict[str, Any]:
    """Point any answer to its headers."""
    return _references(_ALWAYS)


def of_generations() -> dict[str, Any]:
    """Point the answer of a generation to its headers."""
    return _references((*_ALWAYS, *_OWN))


def of_errors(status: int) -> dict[str, Any]:
    """Point an error's answer to its headers."""
    return _references((*_ALWAYS, "x-should-retry", *_OF_ERRORS.get(status, ())))


def _references(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
