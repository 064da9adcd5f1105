from typing import Any

import pytest

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic import embedding, truncation
from inferno_engine.synthetic.request import chat, completion


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, "a b c d"),
        ({"truncate_prompt_tokens": 2}, "a b"),
        ({"truncate_prompt_tokens": 2, "truncation_side": "left"}, "c d"),
        ({"truncate_prompt_tokens": 9}, "a b c d"),
        ({"truncate_prompt_tokens": 0}, ""),
        ({"truncate_prompt_tokens": -1}, "a b c"),
    ],
)
def test_what_is_kept(fields: dict[str, Any], kept: str):
    room = 9 if fields.get("truncate_prompt_tokens") != -1 else 3
    assert truncation.read(fields).cut("a b c d", room) == kept


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
        ({"truncate_prompt_tokens": True}, "truncate_prompt_tokens"),
        ({"truncation_side": "middle"}, "truncation_side"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refused:
        truncation.read(fields)
    assert refused.value.param == param


def test_a_prompt_is_cut_where_that_was_asked_for():
    asked = completion({"prompt": "w " * 100, "max_tokens": 8})
    with pytest.raises(ContextLengthExceeded):
        asked.within(64).answers(64)
    cut = completion({"prompt": "w " * 100, "max_tokens": 8, "truncate_prompt_tokens": -1}).within(64)
    assert cut.answers(64)[0].prompt_tokens == 56
    with pytest.raises(InvalidRequest, match="room for 56"):
        completion({"prompt": "w", "max_tokens": 8, "truncate_prompt_tokens": 57}).within(64)


def test_a_chat_and_texts_to_embed_are_cut_too():
    talk = {"messages": [{"role": "user", "content": "w " * 100}], "truncate_prompt_tokens": 5}
    assert chat(talk).within(64).answers(64)[0].prompt_tokens == 5
    inputs = embedding.inputs({"input": ["a b c", "d"], "truncate_prompt_tokens": 2}).within(64)
    assert inputs.texts == ("a b", "d")
