"""How the document tells of streams: OpenAPI 3.1 has no word for events, so prose and a whole example say it."""

from typing import Any

import msgspec
from msgspec import Struct

from inferno_api.document import examples
from inferno_api.document.components import reference
from inferno_api.failures import ErrorBody
from inferno_api.responses.streaming import DONE, KEEPALIVE

_EVENTS = (
    "The schema is that of one event's `data`: a chunk, or an error, which is the stream's last event. A stream that "
    f"was not cut short by an error ends with `{DONE.decode().strip()}`. While there is nothing to say, "
    f"a line `{KEEPALIVE.decode().strip()}` keeps the connection alive; being a comment, it is no event. No event has "
    "an `id`, an `event` name or a `retry`."
)


def content(chunk: type[Struct]) -> dict[str, Any]:
    """Describe the stream whose events are `chunk`s."""
    kinds = [reference(kind) for kind in (chunk, ErrorBody)]
    chunks = examples.CHUNKS[chunk.__name__]
    return {
        "schema": {"anyOf": kinds, "description": _EVENTS},
        "examples": {
            "finished": {"summary": "An answer to its end", "value": _text(*chunks, end=DONE)},
            "failed": {"summary": "The engine failed on the way", "value": _text(chunks[0], examples.FAILURE)},
        },
    }


def _text(*events: dict[str, Any], end: bytes = b"") -> str:
    written = [b"data: %b\n\n" % msgspec.json.encode(event) for event in events]
    return (KEEPALIVE.join(written) + end).decode()
