"""Calls of tools, with arguments that are valid under their function's schema.

A made-up engine has no reason to call a tool by itself, so it does where it must: `tool_choice` is `required`, or names
a function. Then it calls one function, or two if it is free to.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.forms import Form, Formed, ToolCall, json_form

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class _Function(Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Tool(Struct):
    type: Literal["function"]
    function: _Function


class _Named(Struct):
    name: str


class _Choice(Struct):
    """The choice of one function, by name."""

    type: Literal["function"]
    function: _Named


def form(body: Mapping[str, Any]) -> Form | None:
    """Read whether the answer is to be calls of tools; None: it is text. Raises InvalidRequest."""
    tools = _tools(body.get("tools"))
    choice = body.get("tool_choice")
    if choice in (None, "none", "auto"):
        return None
    if choice == "required":
        if not tools:
            raise InvalidRequest("tool_choice is required, but tools has none.", param="tool_choice")
        return _calls(tools, most=1 if body.get("parallel_tool_calls") is False else min(2, len(tools)))
    return _named(tools, choice)


def _named(tools: Sequence[_Function], choice: Any) -> Form:
    try:
        name = convert(choice, _Choice).function.name
    except ValidationError as error:
        raise InvalidRequest(
            "tool_choice must be none, auto, required, or name a function of tools.", param="tool_choice"
        ) from error
    chosen = [tool for tool in tools if tool.name == name]
    if not chosen:
        raise InvalidRequest(f"tool_choice names {name!r}, which is not among tools.", param="tool_choice")
    # OpenAI has it so: who named the function knows that it is called, and is told that the answer is whole.
    return _calls(chosen[:1], most=1, finish="stop")


def _calls(tools: Sequence[_Function], most: int, finish: str = "tool_calls") -> Form:
    def draw(draws: Draws) -> Formed:
        text = ""
        calls: list[ToolCall] = []
        for _ in range(1 + draws.below(most)):
            tool = draws.pick(tools)
            calls.append(ToolCall(len(text), f"call_{draws.hexadecimal(24)}", tool.name))
            text += json_form(tool.parameters or _NO_ARGUMENTS, "tools")(draws).text
        return Formed(text, tuple(calls), finish)

    return draw


def _tools(value: Any) -> list[_Function]:
    if value is None:
        return []
    try:
        return [tool.function for tool in convert(value, list[_Tool])]
    except ValidationError as error:
        raise InvalidRequest(f"tools can't be read: {error}.", param="tools") from error
