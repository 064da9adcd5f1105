"""Requests that nobody wrote: drawn from the committed document, then broken in some way, or not."""

import json
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st
from tests.hostile import values
from tests.hostile.raw import request
from tests.openapi import Body, Schema

from tests import openapi

SMALL: dict[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.integers(1, 4),
    "max_completion_tokens": st.integers(1, 4),
    "n": st.integers(1, 3),
}
"""What decides how much work a request is: most ask for little."""

TEXT = st.text(max_size=30)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
"""Any value that JSON can write."""

HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(("text/plain", "application/json; charset=utf-8", "x", "")),
        "accept": st.sampled_from(("text/event-stream", "image/png", "*/*;q=0")),
        "x-request-id": st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f")),
        "traceparent": st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{30,32}-[0-9a-f]{16}-[0-9a-f]{1,3}", fullmatch=True),
        "connection": st.sampled_from(("close", "keep-alive", "upgrade")),
        "expect": st.just("nothing"),
    },
)


class Generated(NamedTuple):
    """A request. `is_taken` says whether the document takes its body; None: that is not JSON any more, perhaps."""

    path: str
    body: Any
    data: bytes
    is_taken: bool | None


@st.composite
def generated(draw: st.DrawFn, key: str) -> Generated:
    """Draw a request by this key."""
    body = draw(st.sampled_from(openapi.bodies()))
    sent: dict[str, Any] = {**draw(st.sampled_from(body.examples)), "model": "synthetic", **draw(_some(body.path))}
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2)))):
        sent = draw(_broken(sent, body))
    data = json.dumps(sent).encode()
    is_taken: bool | None = openapi.accepts(body.schema, sent)
    if not draw(st.integers(0, 9)):
        data, is_taken = draw(_garbled(data)), None
    headers = draw(HEADERS) if not draw(st.integers(0, 3)) else {}
    return Generated(body.path, sent, request(data, key=key, path=body.path, headers=headers), is_taken)


@cache
def _some(path: str) -> st.SearchStrategy[dict[str, Any]]:
    """Give some parameters of a body, each as its schema has it, and never much work."""
    properties = next(body.properties for body in openapi.bodies() if body.path == path)
    drawn = {name: SMALL[name] if name in SMALL else valued(of) for name, of in properties.items() if name != "model"}
    some = st.lists(st.sampled_from(sorted(drawn)), max_size=4, unique=True).map(lambda names: [*names])
    limit = {"max_tokens": SMALL["max_tokens"]} if "max_tokens" in drawn else {}
    return some.flatmap(lambda names: st.fixed_dictionaries(limit | {name: drawn[name] for name in names}))


def valued(of: Schema) -> st.SearchStrategy[Any]:
    """Give the values that a schema takes."""
    return st.one_of([_valued(option) for option in openapi.options(of)])


def _valued(option: Schema) -> st.SearchStrategy[Any]:
    if "enum" in option:
        return st.sampled_from(option["enum"])
    kind = option.get("type")
    if kind == "string":
        if "pattern" in option:
            return st.from_regex(option["pattern"])
        return st.text(min_size=option.get("minLength", 0), max_size=min(option.get("maxLength", 30), 30))
    if kind in {"integer", "number"}:
        return _number(option)
    if kind == "array":
        return st.lists(valued(option.get("items", {})), min_size=option.get("minItems", 0), max_size=_few(option))
    if kind == "object":
        return _object(option)
    return {"boolean": st.booleans(), "null": st.none()}.get(kind or "", JSON)


def _few(option: Schema) -> int:
    return min(option.get("maxItems", 3), 3)


def _number(option: Schema) -> st.SearchStrategy[Any]:
    if option["type"] == "integer":
        return st.integers(option.get("minimum"), option.get("maximum"))
    least = option.get("minimum", option.get("exclusiveMinimum"))
    ends = {"exclude_min": "exclusiveMinimum" in option, "allow_nan": False, "allow_infinity": False}
    return st.floats(least, option.get("maximum"), **ends)


def _object(option: Schema) -> st.SearchStrategy[Any]:
    properties = {name: valued(of) for name, of in option.get("properties", {}).items()}
    required = option.get("required", ())
    if properties:
        return st.fixed_dictionaries(
            {name: of for name, of in properties.items() if name in required},
            optional={name: of for name, of in properties.items() if name not in required},
        )
    others = option.get("additionalProperties", True)
    return st.dictionaries(TEXT, valued(others) if isinstance(others, dict) else JSON, max_size=3)


@st.composite
def _broken(draw: st.DrawFn, sent: dict[str, Any], body: Body) -> dict[str, Any]:
    """Break a body at one place."""
    name = draw(st.sampled_from(sorted(body.properties)))
    way = draw(st.sampled_from(("other", "beyond", "inside", "gone", "null", "unknown")))
    if way == "other":
        return {**sent, name: draw(JSON)}
    if way == "beyond":
        of = body.properties[name]
        beyond = [*values.wrong(of), *values.out_of_range(of), *values.tricks(of)]
        return {**sent, name: draw(st.sampled_from(beyond))}
    if way == "inside":
        places = [path for path, _ in openapi.within(body.schema, sent)] or [("model",)]
        return dict(openapi.changed(sent, draw(st.sampled_from(places)), draw(JSON)))
    if way == "gone":
        return {key: value for key, value in sent.items() if key != name}
    return {**sent, draw(TEXT): draw(JSON)} if way == "unknown" else {**sent, name: None}


@st.composite
def _garbled(draw: st.DrawFn, data: bytes) -> bytes:
    """Break the text of a body."""
    at = draw(st.integers(0, len(data)))
    way = draw(st.sampled_from(("cut", "put in", "left out", "twice")))
    if way == "cut":
        return data[:at]
    if way == "put in":
        return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
    return data[:at] + data[at + draw(st.integers(1, 4)) :] if way == "left out" else data + data[at:]
