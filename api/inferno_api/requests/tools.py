"""Tools that a model may call, which of them it must, and the calls that it made before."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from inferno_api.requests import schemas, structure
from inferno_api.requests.fault import Fault
from inferno_api.requests.limits import (
    MAX_ARGUMENTS_BYTES,
    MAX_DEPTH,
    MAX_GRAMMAR_BYTES,
    MAX_LABEL_CHARS,
    MAX_TOOLS_BYTES,
    MAX_VALUES,
    NAME,
)

FunctionName = Annotated[str, Meta(pattern=NAME)]


class Function(Struct, kw_only=True, omit_defaults=True):
    """What a tool is called, and the JSON schema of its arguments."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def __post_init__(self) -> None:
        if self.parameters is not None:
            schemas.check("parameters", self.parameters)


class Tool(Struct, kw_only=True):
    """A tool. Functions are the one kind that there is here."""

    type: Literal["function"]
    function: Function


class NamedFunction(Struct, kw_only=True):
    """A function by its name."""

    name: FunctionName


class NamedTool(Struct, kw_only=True):
    """The tool that has to be called."""

    type: Literal["function"]
    function: NamedFunction


ToolChoice = Literal["none", "auto", "required"] | NamedTool


class CalledFunction(Struct, kw_only=True):
    """A function that was called. `arguments` is JSON, as a string."""

    name: FunctionName
    arguments: str

    def __post_init__(self) -> None:
        if self.arguments:
            _check_arguments(self.arguments.encode())


class ToolCall(Struct, kw_only=True):
    """A call that an assistant made."""

    id: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARS)]
    type: Literal["function"] = "function"
    function: CalledFunction


def check(tools: list[Tool], choice: ToolChoice | None) -> None:
    """Refuse tools that are too large, that share a name, or of which the chosen one is none. Raises `Fault`."""
    structure.bound("tools", tools, most_bytes=MAX_TOOLS_BYTES)
    names = {tool.function.name for tool in tools}
    if len(names) < len(tools):
        raise Fault("tools", "two of them have the same name; give each its own")
    if isinstance(choice, NamedTool) and choice.function.name not in names:
        raise Fault("tool_choice", "there is no such tool among `tools`; choose one of those")


def _check_arguments(arguments: bytes) -> None:
    if len(arguments) > MAX_ARGUMENTS_BYTES:
        raise Fault("arguments", f"it has {len(arguments)} bytes, and at most {MAX_ARGUMENTS_BYTES} are taken")
    # Arguments are JSON inside a string of JSON, so the body's own count did not see into them.
    if structure.values(arguments, MAX_VALUES) > MAX_GRAMMAR_BYTES:
        raise Fault("arguments", f"it holds more than {MAX_GRAMMAR_BYTES} values; send fewer")
    try:
        value = msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Fault("arguments", "it has to be a JSON object, as a string") from error
    if structure.depth(value, MAX_DEPTH) > MAX_DEPTH:
        raise Fault("arguments", f"it is more than {MAX_DEPTH} deep; send a flatter object")
