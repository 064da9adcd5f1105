"""How the document tells of errors: one answer for each status, with every code that it may carry."""

from typing import Any

import msgspec

from inferno_api import failures
from inferno_api.document import headers
from inferno_core.errors import BY_CODE, Fenced, InfernoError

_TOLD: tuple[type[InfernoError], ...] = (InfernoError, *(kind for kind in BY_CODE.values() if kind is not Fenced))
"""Workers fence each other; no client hears of it. A method that no operation has is told of in the introduction."""

BY_STATUS: dict[int, list[type[InfernoError]]] = {
    status: [kind for kind in _TOLD if kind.status == status] for status in sorted({kind.status for kind in _TOLD})
}


def answers() -> dict[str, Any]:
    """Give the answers of all statuses, as the document's components."""
    return {_name(status): _answer(kinds) for status, kinds in BY_STATUS.items()}


def references(*statuses: int) -> dict[str, Any]:
    """Point an operation to the answers that it may give."""
    return {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}


def _name(status: int) -> str:
    return f"Status{status}"


def _answer(kinds: list[type[InfernoError]]) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "examples": {k.code: _example(k) for k in kinds}}
    codes = [f"`{kind.code}`: {_sentence(kind)}" for kind in kinds]
    return {
        "description": "\n\n".join(codes),
        "headers": headers.of_errors(kinds[0].status),
        "content": {"application/json": content},
    }


def _example(kind: type[InfernoError]) -> dict[str, Any]:
    return {"summary": _sentence(kind), "value": msgspec.json.decode(failures.encode(kind(_sentence(kind))))}


def _sentence(kind: type[InfernoError]) -> str:
    if kind is InfernoError:
        return failures.internal().message
    return (kind.__doc__ or "").partition("\n")[0]
