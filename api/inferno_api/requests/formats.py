"""Forms that an answer can be made to have: OpenAI's `response_format` and vLLM's `structured_outputs`."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from inferno_api.requests import regexes, schemas, structure
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import MAX_ALTERNATIVES, MAX_GRAMMAR_BYTES, NAME

_KINDS = ("json", "regex", "choice", "grammar", "json_object")


class TextFormat(Struct, tag_field="type", tag="text"):
    """Any text."""


class JsonObjectFormat(Struct, tag_field="type", tag="json_object"):
    """Any JSON object."""


class JsonSchema(Struct, kw_only=True, omit_defaults=True):
    """The schema that an answer has to follow. It is followed strictly whatever `strict` says."""

    name: Annotated[str, Meta(pattern=NAME)]
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None

    def __post_init__(self) -> None:
        schemas.check("schema", self.schema)


class JsonSchemaFormat(Struct, tag_field="type", tag="json_schema"):
    """JSON that follows a schema."""

    json_schema: JsonSchema


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat


class StructuredOutputs(Struct, kw_only=True, omit_defaults=True):
    """vLLM's way to say which form an answer has to have. Exactly one of the first five fields is set."""

    json: str | dict[str, Any] | None = None
    regex: Annotated[str, Meta(min_length=1)] | None = None
    choice: Annotated[list[str], Meta(min_length=1, max_length=MAX_ALTERNATIVES)] | None = None
    grammar: Annotated[str, Meta(min_length=1)] | None = None
    json_object: bool | None = None
    disable_any_whitespace: bool | None = None
    disable_additional_properties: bool | None = None
    whitespace_pattern: str | None = None
    structural_tag: None = None

    def __post_init__(self) -> None:
        asked = [name for name in _KINDS if getattr(self, name) is not None]
        if len(asked) != 1:
            raise Fault("", f"it needs exactly one of {', '.join(_KINDS)}, and has {', '.join(asked) or 'none'}")
        if self.json_object is False:
            raise Fault("json_object", "it can only be asked for; leave it out")
        if self.json is not None:
            schemas.check("json", _schema(self.json))
        for name in ("regex", "whitespace_pattern"):
            if (regex := getattr(self, name)) is not None:
                regexes.check(name, regex)
        if self.grammar is not None:
            regexes.check_grammar("grammar", self.grammar)
        structure.bound("choice", self.choice, most_bytes=MAX_GRAMMAR_BYTES)


def constrains(form: ResponseFormat | None) -> bool:
    """Say whether a format leaves out any text at all."""
    return form is not None and not isinstance(form, TextFormat)


def _schema(text: str | dict[str, Any]) -> dict[str, Any]:
    """Give a schema, which vLLM takes as JSON text as well. Raises `Fault`."""
    if isinstance(text, dict):
        return text
    if len(text) > MAX_GRAMMAR_BYTES:
        raise Fault("json", f"it has {len(text)} characters, and at most {MAX_GRAMMAR_BYTES} bytes are taken")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Fault("json", "it is no JSON schema; send an object") from error
