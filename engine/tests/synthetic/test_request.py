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
        ({"messages": USER, "logprobs": True}, "logprobs"),
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


def test_what_does_not_fit_the_context_is_refused():
    asked = request.completion({"prompt": "a " * 90, "max_tokens": 20})
    with pytest.raises(ContextLengthExceeded, match="100 tokens"):
        asked.answers(context=100)


def test_the_stock_contract_answers_16_tokens_unless_told():
    (answer,) = request.stock("p", {}).answers(8192)
    assert len(words.encode(answer.text)) == 16
