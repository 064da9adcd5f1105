import json
from typing import Any

from inferno_api.folding import Folding
from inferno_core.acceptance import Accepted
from inferno_core.records import Frame, Surface, Usage


def fold(surface: Surface, *deltas: dict[str, Any]) -> Any:
    folding = Folding(surface)
    for delta in deltas:
        frame = Frame(
            id="i", epoch=0, choice=delta.get("index", 0), index=0, tokens=(1,), delta=json.dumps(delta).encode()
        )
        folding.add([Accepted(frame, 0)])
    return json.loads(folding.whole(id="i", created=1, model="m", usage=Usage(1, 2)))


def chat(*deltas: dict[str, Any], **last: Any) -> Any:
    pieces = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    pieces[-1].update(last)
    return fold("chat", *pieces)["choices"][0]


def test_words_are_joined_and_the_role_is_kept() -> None:
    choice = chat({"role": "assistant", "content": ""}, {"content": "He"}, {"content": "llo"}, finish_reason="stop")
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello"},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_reasoning_is_joined_apart() -> None:
    message = chat({"reasoning": "a"}, {"reasoning": "b"}, {"content": "c"})["message"]
    assert (message["reasoning"], message["content"]) == ("ab", "c")


def test_tool_calls_are_joined_by_their_index() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    message = chat(
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


def test_log_probabilities_of_chat_are_joined() -> None:
    pieces = [
        {"index": 0, "delta": {"content": text}, "logprobs": {"content": [{"token": text}]}, "finish_reason": None}
        for text in "ab"
    ]
    assert fold("chat", *pieces)["choices"][0]["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}


def test_log_probabilities_of_completions_are_joined_by_column() -> None:
    pieces = [
        {"index": 0, "text": text, "logprobs": {"tokens": [text], "text_offset": [at]}, "finish_reason": None}
        for at, text in enumerate("ab")
    ]
    choice = fold("completion", *pieces)["choices"][0]
    assert choice["text"] == "ab"
    assert choice["logprobs"] == {"tokens": ["a", "b"], "text_offset": [0, 1]}


def test_other_fields_keep_their_last_word() -> None:
    pieces = [
        {"index": 0, "text": "a", "stop_reason": None},
        {"index": 0, "text": "", "stop_reason": "END"},
        {"index": 0, "text": "", "stop_reason": None},
    ]
    assert fold("completion", *pieces)["choices"][0]["stop_reason"] == "END"


def test_choices_come_in_order() -> None:
    whole = fold("completion", {"index": 2, "text": "c"}, {"index": 0, "text": "a"})
    assert [choice["text"] for choice in whole["choices"]] == ["a", "c"]
    assert whole["usage"]["total_tokens"] == 3
