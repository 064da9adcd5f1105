"""/openapi.json, made from the very types that validate and answer: the inference routes here, the others by FastAPI.

`make docs` writes it to docs/openapi.json, and a test holds the two to each other, byte for byte.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from inferno_api.document import components, operations, reference

_ABOUT = (
    "OpenAI's interface over models that Triton serves. Point any of its clients at `/v1`, with a key of this platform."
    " Fields that are not described here are ignored; a described one that can't be honoured is refused by name,"
    " and null is as good as leaving it out.\n\n"
    "Every error has OpenAI's shape, on every path: one that is not described here is a 404, `not_found`, and another"
    " method than those that are described is a 405, `method_not_allowed`."
)
_TAGS = [
    {"name": "inference", "description": "What programs call, with a key."},
    {"name": "operations", "description": "What operators and machines ask."},
]


class Document:
    """The document, each of its forms made when it is first asked for; `control` are FastAPI's routes."""

    def __init__(self, control: Sequence[BaseRoute]) -> None:
        self._control = control

    @cached_property
    def json(self) -> bytes:
        """The document as JSON, as it is committed."""
        return msgspec.json.format(msgspec.json.encode(self._described), indent=1) + b"\n"

    @cached_property
    def page(self) -> bytes:
        """The document as a page for people."""
        return reference.page(self._described)

    @cached_property
    def _described(self) -> dict[str, Any]:
        base = get_openapi(title="Inferno", version="1", description=_ABOUT, tags=_TAGS, routes=self._control)
        return {
            **base,
            "paths": {**operations.inference(), **operations.control(base["paths"])},
            "components": components.all(base.get("components", {})),
        }
