from typing import Any

import msgspec
import pytest

from inferno_api.requests import tools
from inferno_api.requests.fault import Fault
from inferno_api.requests.tools import NamedFunction, NamedTool, Tool, ToolCall


def tool(name: str = "f", **function: Any) -> Tool:
    return msgspec.convert({"type": "function", "function": {"name": name, **function}}, Tool)


def call(arguments: str) -> ToolCall:
    return msgspec.convert({"id": "a", "function": {"name": "f", "arguments": arguments}}, ToolCall)


def test_what_programs_send_is_taken() -> None:
    tools.check([tool(description="d", parameters={"type": "object"}, strict=True), tool("g")], None)
    tools.check([tool()], NamedTool(type="function", function=NamedFunction(name="f")))


def test_the_tool_that_is_chosen_is_there() -> None:
    with pytest.raises(Fault, match="no such tool"):
        tools.check([tool()], NamedTool(type="function", function=NamedFunction(name="g")))


def test_names_are_told_apart() -> None:
    with pytest.raises(Fault, match="the same name"):
        tools.check([tool(), tool()], None)


def test_tools_are_bounded_together() -> None:
    with pytest.raises(Fault, match="at most 262144"):
        tools.check([tool(f"f{number}", description="x" * 3000) for number in range(100)], None)


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "é", "a\n"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        tool(name)


@pytest.mark.parametrize("arguments", ["", "{}", '{"city": "Zürich", "deep": [[1]]}', '{"x": 1e400}'])
def test_arguments_that_are_taken(arguments: str) -> None:
    try:
        assert call(arguments).function.arguments == arguments
    except msgspec.ValidationError:
        assert "1e400" in arguments


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("{", "a JSON object"),
        ("[1]", "a JSON object"),
        ('{"a":' + "[" * 40 + "]" * 40 + "}", "32 deep"),
        ('{"a":' + "[" * 5000 + "]" * 5000 + "}", "a JSON object"),
        ('{"a":"' + "x" * (1 << 20) + '"}', "at most 1048576"),
        ('{"a":[' + "[]," * 70_000 + "1]}", "more than 65536 values"),
    ],
)
def test_arguments_that_are_refused(arguments: str, why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        call(arguments)
