import json
from typing import Any

import pytest

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.forms import Formed
from inferno_engine.synthetic.tools import form


def tool(name: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("move", type="object", properties={"by": {"type": "integer"}}, required=["by"]), tool("stop")]


def made(seed: int = 0, **body: Any) -> Formed:
    called = form({"tools": TOOLS, **body})
    assert called is not None
    return called(Draws(bytes([seed])))


def arguments(formed: Formed) -> list[tuple[str, Any]]:
    ends = [*(call.at for call in formed.calls[1:]), len(formed.text)]
    return [(call.name, json.loads(formed.text[call.at : end])) for call, end in zip(formed.calls, ends, strict=True)]


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_unasked_it_calls_nothing(choice: str | None):
    assert form({"tools": TOOLS, "tool_choice": choice}) is None


def test_a_named_function_is_called():
    for seed in range(20):
        formed = made(seed, tool_choice={"type": "function", "function": {"name": "move"}})
        ((name, given),) = arguments(formed)
        assert (name, set(given), formed.finish) == ("move", {"by"}, "stop")


def test_where_it_must_it_calls_one_or_two():
    formed = [made(seed, tool_choice="required") for seed in range(40)]
    assert {len(each.calls) for each in formed} == {1, 2}
    assert {name for each in formed for name, _ in arguments(each)} == {"move", "stop"}
    assert {each.finish for each in formed} == {"tool_calls"}


def test_calls_are_never_parallel_if_that_is_forbidden():
    assert all(len(made(s, tool_choice="required", parallel_tool_calls=False).calls) == 1 for s in range(20))


def test_ids_follow_from_what_is_drawn():
    one, same, other = (made(seed, tool_choice="required").calls[0].id for seed in (1, 1, 2))
    assert one == same != other
    assert one.startswith("call_")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "fly"}}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tools": [{"type": "custom"}]}, "tools"),
        ({"tools": [tool("bad", **{"not": {}})], "tool_choice": "required"}, "tools"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refused:
        made(**body)
    assert refused.value.param == param
