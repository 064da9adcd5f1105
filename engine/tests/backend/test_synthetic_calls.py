"""Going on from what was accepted: whatever was asked for and wherever it is cut, both parts make the whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hearing import Whole, ask, whole
from inferno_backend.synthetic_engine import SyntheticEngine

from inferno_core.errors import EngineFailed
from inferno_core.session import Piece
from inferno_engine.synthetic.request import chat_text

MESSAGES = [{"role": "user", "content": "Tell me."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
        },
    }
    for name in ("left", "right")
]
STOP = chat_text(MESSAGES, max_tokens=30, seed=1)[52:60]

CHATS: dict[str, dict[str, Any]] = {
    "seeded": {"max_tokens": 20, "seed": 7},
    "greedy": {"max_tokens": 20, "temperature": 0},
    "until it ends by itself": {"seed": 2},
    "with penalties": {"max_tokens": 12, "presence_penalty": 0.5, "repetition_penalty": 1.2},
    "to a stop string": {"max_tokens": 30, "seed": 1, "stop": [STOP]},
    "to a stop string, included": {"max_tokens": 30, "seed": 1, "stop": [STOP], "include_stop_str_in_output": True},
    "to a stop token": {"max_tokens": 200, "stop_token_ids": list(range(100))},
    "with a least length": {"max_tokens": 30, "min_tokens": 25, "stop": ["a"]},
    "two choices": {"max_tokens": 8, "n": 2, "seed": 3},
    "log-probabilities": {"max_tokens": 10, "logprobs": True, "top_logprobs": 3},
    "a schema": {"response_format": {"type": "json_object"}},
    "an expression": {"structured_outputs": {"regex": r"[a-z ]{9}(é|\d{4}){3}"}},
    "a choice": {"structured_outputs": {"choice": ["left or right", "up and down"]}},
    "required tools": {"tools": TOOLS, "tool_choice": "required", "seed": 5},
    "a named tool": {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "left"}}},
    "a tool that is cut": {"tools": TOOLS, "tool_choice": "required", "max_tokens": 4},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[SyntheticEngine]:
    made = SyntheticEngine(step_ms=0)
    made.open(lambda: None)
    yield made
    made.close()


@pytest.mark.parametrize("body", CHATS.values(), ids=CHATS)
def test_a_chat_goes_on_wherever_it_is_cut(engine: SyntheticEngine, body: dict[str, Any]):
    goes_on(engine, "chat", {"messages": MESSAGES, **body})


@pytest.mark.parametrize("body", [{"max_tokens": 12, "logprobs": 2, "echo": True}, {"max_tokens": 9, "n": 2}])
def test_a_completion_goes_on_wherever_it_is_cut(engine: SyntheticEngine, body: dict[str, Any]):
    goes_on(engine, "completion", {"prompt": ["one two", "three"], **body})


def goes_on(engine: SyntheticEngine, surface: str, body: dict[str, Any]) -> None:
    undisturbed = ask(engine, surface, body)
    frames, pieces, expected = undisturbed.said(), undisturbed.pieces(), whole(undisturbed.said())
    assert undisturbed.usage
    for cut in range(len(frames) + 1):
        resumed = ask(engine, surface, body, accepted=pieces[:cut])
        assert whole([*frames[:cut], *resumed.said()]) == expected, cut
        assert resumed.usage == undisturbed.usage._replace(cached_tokens=resumed.usage.cached_tokens)


@pytest.mark.parametrize("body", CHATS.values(), ids=CHATS)
@pytest.mark.parametrize("together", [2, 7, 1000])
def test_what_is_told_together_says_the_same(engine: SyntheticEngine, body: dict[str, Any], together: int):
    one, other = (ask(engine, "chat", {"messages": MESSAGES, **body}) for _ in range(2))
    assert whole(one.said(together)) == whole(other.said())


def test_tools_are_called_as_the_request_says(engine: SyntheticEngine):
    said = whole(ask(engine, "chat", {"messages": MESSAGES, **CHATS["required tools"]}).said())[0]
    for head, arguments in said.calls.values():
        id, kind, name = head.split("/")
        assert id.startswith("call_")
        assert (kind, name in ("left", "right"), set(json.loads(arguments))) == ("function", True, {"x"})
    assert (said.finish, said.text) == ("tool_calls", "")


def test_a_role_is_told_once_though_no_token_was(engine: SyntheticEngine):
    said = ask(engine, "chat", {"messages": MESSAGES, "max_tokens": 2}, accepted=[Piece(0, ())]).said()
    assert whole(said)[0].role == ""


@pytest.mark.parametrize("allowance", [10, 4, 2])
def test_the_allowance_counts_what_was_accepted(engine: SyntheticEngine, allowance: int):
    body = {"messages": MESSAGES, "max_tokens": 20}
    accepted = ask(engine, "chat", body).pieces()[:5]
    resumed = ask(engine, "chat", body, accepted=accepted, allowance=allowance)
    said = whole(resumed.said())[0]
    assert (len(said.tokens), said.finish) == (max(0, allowance - 4), "length")
    assert resumed.usage
    assert resumed.usage.completion_tokens == max(4, allowance)


def test_what_has_ended_just_ends(engine: SyntheticEngine):
    body = {"messages": MESSAGES, "max_tokens": 3, "n": 2}
    first = ask(engine, "chat", body)
    again = ask(engine, "chat", body, accepted=first.pieces())
    assert (again.gains, again.calls, again.usage) == ([], ["begin", "end"], first.usage)


def test_it_ends_that_whose_last_word_was_accepted_without_its_end(engine: SyntheticEngine):
    body = {"messages": MESSAGES, "max_tokens": 3}
    *pieces, last = ask(engine, "chat", body).pieces()
    resumed = ask(engine, "chat", body, accepted=[*pieces, Piece(0, last.tokens)])
    assert whole(resumed.said()) == {0: Whole(finish="length")}


@pytest.mark.parametrize("piece", [Piece(0, (1, 2, 3)), Piece(7, ())])
def test_what_this_engine_never_said_it_does_not_go_on_with(engine: SyntheticEngine, piece: Piece):
    failed = ask(engine, "chat", {"messages": MESSAGES, "max_tokens": 9}, accepted=[piece])
    assert isinstance(failed.error, EngineFailed)
