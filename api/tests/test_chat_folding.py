import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from folded import fold

from inferno_api.responses.chat_folding import ChatFolding


def chat(*deltas: dict[str, Any], **last: Any) -> Any:
    pieces = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    pieces[-1].update(last)
    return fold(ChatFolding(), *pieces)["choices"][0]


def test_words_are_joined() -> None:
    choice = chat({"role": "assistant", "content": ""}, {"content": "He"}, {"content": "llo"}, finish_reason="stop")
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_what_stands_around_the_choices() -> None:
    whole = fold(ChatFolding(), {"index": 0, "delta": {"content": "a"}})
    assert (whole["id"], whole["object"], whole["created"], whole["model"]) == ("i", "chat.completion", 1, "m")
    assert whole["system_fingerprint"] == "f"
    assert whole["usage"]["total_tokens"] == 3
    assert fold(ChatFolding(), usage=None, fingerprint="")["usage"] is None


def test_reasoning_is_joined_apart_and_stands_under_both_names() -> None:
    message = chat({"reasoning": "a", "reasoning_content": "a"}, {"reasoning": "b"}, {"content": "c"})["message"]
    assert (message["reasoning"], message["reasoning_content"], message["content"]) == ("ab", "ab", "c")


def test_a_refusal_is_joined() -> None:
    assert chat({"refusal": "I "}, {"refusal": "won't."})["message"]["refusal"] == "I won't."


def test_tool_calls_are_joined_by_their_index() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    message = chat(
        {"role": "assistant", "content": None},
        call(0, id="a", type="function", function={"name": "f", "arguments": ""}),
        call(0, function={"arguments": '{"x"'}),
        call(1, id="b", type="function", function={"name": "g", "arguments": "{}"}),
        call(0, function={"arguments": ":1}"}),
        finish_reason="tool_calls",
    )["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_words_beside_a_call_are_kept() -> None:
    called = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    assert chat({"content": "Let me look."}, called)["message"]["content"] == "Let me look."


def test_log_probabilities_are_joined() -> None:
    tokens = [{"token": text, "logprob": -0.5, "bytes": [97], "top_logprobs": []} for text in "ab"]
    pieces = [
        {"index": 0, "delta": {"content": token["token"]}, "logprobs": {"content": [token]}, "finish_reason": None}
        for token in tokens
    ]
    assert fold(ChatFolding(), *pieces)["choices"][0]["logprobs"] == {"content": tokens, "refusal": None}


def test_what_ended_an_answer_is_told_where_the_engine_tells_it() -> None:
    assert chat({"content": "a"}, finish_reason="stop", stop_reason="END")["stop_reason"] == "END"
    assert chat({"content": "a"}, finish_reason="stop", stop_reason=None)["stop_reason"] is None


def test_choices_come_in_order() -> None:
    whole = fold(ChatFolding(), {"index": 2, "delta": {"content": "c"}}, {"index": 0, "delta": {"content": "a"}})
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["a", "c"]


def test_what_is_no_choice_of_a_chat_is_noticed() -> None:
    with pytest.raises(msgspec.MsgspecError):
        fold(ChatFolding(), {"index": 0, "text": "a"})
