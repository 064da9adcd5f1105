import json

import pytest

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic import request, words

USER = [{"role": "user", "content": "hello there"}]


def test_parts_of_text_are_read_as_one():
    parts = [{"role": "user", "content": [{"type": "text", "text": "hello "}, {"type": "text", "text": "there"}]}]
    assert request.chat_text(parts, temperature=0) == request.chat_text(USER, temperature=0)


def test_each_of_n_choices_is_answered():
    asked = request.chat({"messages": USER, "n": 3, "max_tokens": 5, "seed": 1})
    assert len({answer.text for answer in asked.answers(100)}) == 3


@pytest.mark.parametrize("prompt", ["baba babe", ["baba babe"], [0, 1], [[0, 1]]])
def test_a_prompt_has_four_forms(prompt: object):
    (answer,) = request.completion({"prompt": prompt, "temperature": 0}).answers(8192)
    assert answer.text == request.completion_text("baba babe", temperature=0)


def test_the_stock_contract_takes_token_ids_too():
    (answer,) = request.stock([0, 1], {}).answers(8192)
    assert answer == request.stock("baba babe", {}).answers(8192)[0]


def test_a_list_of_prompts_is_answered_in_order():
    asked = request.completion({"prompt": ["one", "two"], "n": 2, "temperature": 0, "max_tokens": 3})
    texts = [answer.text for answer in asked.answers(100)]
    one, two = (request.completion_text(p, temperature=0, max_tokens=3) for p in ("one", "two"))
    assert texts == [one, one, two, two]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": USER, "temperature": 3}, "temperature"),
        ({"messages": USER, "temperature": "hot"}, "temperature"),
        ({"messages": USER, "max_tokens": 0}, "max_tokens"),
        ({"messages": USER, "max_completion_tokens": -1}, "max_completion_tokens"),
        ({"messages": USER, "n": 1000}, "n"),
        ({"messages": USER, "n": True}, "n"),
        ({"messages": USER, "stop": 4}, "stop"),
        ({"messages": USER, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"messages": USER, "logit_bias": {"x": 1}}, "logit_bias"),
        ({"messages": USER, "bad_words": "x"}, "bad_words"),
        ({"messages": USER, "allowed_token_ids": [-1]}, "allowed_token_ids"),
        ({"messages": USER, "prompt_logprobs": 1}, "prompt_logprobs"),
        ({"messages": USER, "bad_words": ["x"], "response_format": {"type": "json_object"}}, "bad_words"),
        ({"messages": USER, "stop_token_ids": "x"}, "stop_token_ids"),
        ({"messages": USER, "min_p": 2}, "min_p"),
        ({"messages": USER, "min_tokens": 3, "response_format": {"type": "json_object"}}, "min_tokens"),
        ({"messages": USER, "tool_choice": "required"}, "tool_choice"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, object], param: str):
    with pytest.raises(InvalidRequest) as refused:
        request.chat(body)
    assert refused.value.param == param


def test_fields_that_ask_for_nothing_are_not_refused():
    body = {"messages": USER, "logprobs": False, "response_format": {"type": "text"}, "logit_bias": {}, "foreign": 1}
    assert request.chat(body).n == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"continue_final_message": True, "add_generation_prompt": False},
        {"add_generation_prompt": False},
    ],
)
def test_what_a_template_would_show_shapes_the_answer(other: dict[str, object]):
    assert request.chat_text(USER, temperature=0) != request.chat_text(USER, temperature=0, **other)


def test_calls_that_were_made_shape_the_answer():
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    said = [*USER, {"role": "assistant", "content": None, "tool_calls": calls}]
    assert request.chat_text(said, temperature=0) != request.chat_text([*USER, {"role": "assistant"}], temperature=0)


def test_log_probabilities_are_asked_for_in_two_ways():
    assert request.chat({"messages": USER, "logprobs": True}).logprobs == 0
    assert request.chat({"messages": USER, "logprobs": True, "top_logprobs": 3}).logprobs == 3
    assert request.completion({"prompt": "p", "logprobs": 2}).logprobs == 2
    assert request.stock("p", {"logprobs": "2"}).logprobs == 2


def test_who_has_the_prompt_repeated_may_want_nothing_else():
    asked = request.completion({"prompt": ["one", "two"], "echo": True, "max_tokens": 0, "n": 2})
    assert [answer.text for answer in asked.answers(100)] == [""] * 4
    assert [asked.prompt(choice) for choice in range(4)] == ["one", "one", "two", "two"]


def test_an_answer_can_have_a_form():
    said = request.chat_text(USER, response_format={"type": "json_object"})
    assert isinstance(json.loads(said), dict)
    assert request.completion_text("p", structured_outputs={"choice": ["so"]}) == "so"


def test_what_does_not_fit_the_context_is_refused():
    asked = request.completion({"prompt": "a " * 90, "max_tokens": 20})
    with pytest.raises(ContextLengthExceeded, match="100 tokens"):
        asked.answers(context=100)


def test_a_completion_has_16_tokens_where_nobody_said_it():
    asked = request.completion({"prompt": "p p"})
    (answer,) = asked.answers(8192)
    assert (len(answer.tokens), answer.finish) == (16, "length")
    assert len(asked.answers(8)[0].tokens) == 6
    assert len(asked.answers(8192, allowance=4)[0].tokens) == 4


def test_the_stock_contract_answers_16_tokens_unless_told():
    (answer,) = request.stock("p", {}).answers(8192)
    assert len(words.encode(answer.text)) == 16
