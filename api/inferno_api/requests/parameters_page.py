"""docs/parameters.md, made from the types that validate: `python -m inferno_api.requests.parameters_page`."""

import re
import sys
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any, NamedTuple

from inferno_api.admission import LABELS
from inferno_api.document import components, types
from inferno_api.surfaces import SURFACES

_INTRODUCTION = """\
# Parameters

What a request to `/v1/chat/completions`, `/v1/completions` and `/v1/embeddings` may say. A field that is not listed is
ignored, and null is as good as leaving a field out. All else is a 400 whose `param` names the field, and whose message
shows its value and the way out, before anything is queued; [limits](limits.md) has what holds for all of it together.
This page is made by `make docs` from the types that validate requests. [openapi.json](openapi.json) is made from the
same ones, and has what is inside of objects.

Whether a prompt fits its model, a schema can be followed, and a template takes its arguments is for the engine to say.
That is an HTTP status as well, if it comes within a second; else it is an error in the stream.
"""
_HONOURED = """\
## Honoured

A stream and a whole answer have the same words, tool calls, log-probabilities, usage and finish reasons.
"""
_LABELS = """\
## Taken, without effect

These label a request for its sender, or say how it might be cached.
"""
_REFUSED = """\
## Known, and refused

OpenAI documents these or vLLM takes them, and they can't be honoured here. Only what asks for nothing is taken.
"""
_TAG = re.compile(r"<a [^>]*>|</a>")
_REFUSAL = re.compile(r"Refused[^:]*: ")


class Parameter(NamedTuple):
    """A field of one or more bodies: what it takes and what it does, as Markdown."""

    name: str
    surfaces: str
    takes: str
    does: str


def page() -> str:
    """Render the page."""
    parameters = list(_parameters())
    refused = [each for each in parameters if _REFUSAL.match(each.does)]
    taken = [each for each in parameters if each not in refused]
    return "\n".join(
        [
            _INTRODUCTION,
            _HONOURED,
            _table("What it does", [each for each in taken if each.name not in LABELS]),
            _LABELS,
            _table("", [each for each in taken if each.name in LABELS]),
            _REFUSED,
            _table("Because", [_nothing(each) for each in refused]).rstrip(),
            "",
        ]
    )


def _nothing(refused: Parameter) -> Parameter:
    takes = "`false`" if refused.takes == "boolean" else refused.takes
    return refused._replace(takes=takes, does=_REFUSAL.sub("", refused.does))


def _table(last: str, parameters: Sequence[Parameter]) -> str:
    rows = [f"| `{name}` | {surfaces} | {takes} | {does} |" for name, surfaces, takes, does in parameters]
    return "\n".join([f"| Parameter | Of | Takes | {last} |", "|---|---|---|---|", *rows, ""])


def _parameters() -> Iterator[Parameter]:
    """Give all fields, those of several surfaces once if they mean the same."""
    found: dict[tuple[str, str, str], list[str]] = {}
    schemas: dict[str, Any] = components.all({})["schemas"]
    for kind in SURFACES:
        for name, schema in schemas[kind.body.__name__]["properties"].items():
            found.setdefault((name, _takes(schema), schema["description"]), []).append(kind.surface)
    for (name, takes, does), surfaces in found.items():
        yield Parameter(name, "all" if len(surfaces) == len(SURFACES) else ", ".join(surfaces), takes, does)


def _takes(schema: dict[str, Any]) -> str:
    words = _TAG.sub("", types.html(schema)).replace("<code>", "`").replace("</code>", "`")
    return unescape(words).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
