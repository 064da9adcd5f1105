import json
import math
from collections.abc import Iterator

import pytest
from hearing import Heard, ask, whole
from inferno_backend.seam import StockCall
from inferno_backend.synthetic_engine import SyntheticEngine

from inferno_engine.synthetic import request
from inferno_engine.synthetic.embedding import vector

MESSAGES = [{"role": "user", "content": "Tell me."}]


@pytest.fixture(scope="module")
def engine() -> Iterator[SyntheticEngine]:
    made = SyntheticEngine(step_ms=0)
    made.open(lambda: None)
    yield made
    made.close()


def test_a_chat_begins_with_its_role_and_ends_with_its_reason(engine: SyntheticEngine):
    said = ask(engine, "chat", {"messages": MESSAGES, "max_tokens": 3}).said()
    text = request.chat_text(MESSAGES, max_tokens=3).split()
    assert [json.loads(choice.body) for choice in said] == [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        for delta, finish in [
            ({"role": "assistant", "content": ""}, None),
            ({"content": text[0]}, None),
            ({"content": " " + text[1]}, None),
            ({"content": " " + text[2]}, "length"),
        ]
    ]
    assert [len(choice.tokens) for choice in said] == [0, 1, 1, 1]


def test_a_completion_is_told_in_its_own_form(engine: SyntheticEngine):
    said = ask(engine, "completion", {"prompt": "p", "max_tokens": 2}).said(together=2)
    (body,) = [json.loads(choice.body) for choice in said]
    text = request.completion_text("p", max_tokens=2)
    assert body == {"index": 0, "text": text, "logprobs": None, "finish_reason": "length"}


def test_each_of_several_prompts_and_choices_has_an_index(engine: SyntheticEngine):
    body = {"prompt": ["one", "two"], "n": 2, "max_tokens": 5, "seed": 4}
    answers = request.completion(body).answers(8192)
    heard = ask(engine, "completion", body)
    assert [made.text for _, made in sorted(whole(heard.said()).items())] == [answer.text for answer in answers]
    assert heard.usage
    assert heard.usage[:2] == (2, 20)


def test_a_prompt_is_repeated_with_its_log_probabilities(engine: SyntheticEngine):
    body = {"prompt": "say it", "max_tokens": 2, "echo": True, "logprobs": 1}
    made = whole(ask(engine, "completion", body).said())[0]
    assert made.text == "say it" + request.completion_text("say it", max_tokens=2)
    assert "".join(made.logprobs["tokens"]) == made.text
    starts = [0, 3, 6, 10]
    assert made.logprobs["text_offset"] == starts
    assert made.logprobs["token_logprobs"][0] is None


def test_a_prompt_may_be_all_that_is_wanted(engine: SyntheticEngine):
    made = whole(ask(engine, "completion", {"prompt": "say it", "max_tokens": 0, "echo": True}).said())[0]
    assert (made.text, made.tokens, made.finish) == ("say it", [], "length")


def test_every_input_has_its_embedding(engine: SyntheticEngine):
    heard = ask(engine, "embedding", {"input": ["one two", "three"], "dimensions": 8})
    bodies = [json.loads(choice.body) for choice in heard.said()]
    assert bodies == [
        {"object": "embedding", "index": index, "embedding": vector(text, 8)}
        for index, text in enumerate(["one two", "three"])
    ]
    assert [choice.finish for choice in heard.said()] == ["stop", "stop"]
    assert heard.usage
    assert heard.usage[:2] == (3, 0)


def test_the_stock_contract_is_told_text_tokens_and_log_probabilities(engine: SyntheticEngine):
    heard = Heard()
    engine.start(StockCall("s", [3, 4, 5], {"max_tokens": "6", "logprobs": "2", "n": 2}, stream=True), heard)
    deltas = heard.over().said()
    answers = request.stock([3, 4, 5], {"max_tokens": 6, "n": 2}).answers(8192)
    for index, answer in enumerate(answers):
        mine = [delta for delta in deltas if delta.index == index]
        assert "".join(delta.text for delta in mine) == answer.text
        assert tuple(token for delta in mine for token in delta.tokens) == answer.tokens
        assert [delta.finish for delta in mine] == [None] * 5 + ["length"]
        chosen = [
            place[str(token)] for delta in mine for token, place in zip(delta.tokens, delta.logprobs, strict=True)
        ]
        assert math.isclose(mine[-1].cumulative_logprob, sum(each["logprob"] for each in chosen))
        assert {delta.prompt_tokens for delta in mine} == {3}


@pytest.mark.parametrize("surface", ["chat", "completion"])
def test_what_was_joined_is_told_as_if_it_were_not(engine: SyntheticEngine, surface: str):
    body = {"messages": MESSAGES, "prompt": "p", "max_tokens": 30}
    apart, joined = ask(engine, surface, body), ask(engine, surface, body)
    render = joined.render
    while len(joined.gains) > 1:
        one = render.join(*joined.gains[:2])
        assert one is not None
        joined.gains[:2] = [one]
    (said,) = whole(joined.said()).values()
    (other,) = whole(apart.said()).values()
    assert (said.text, said.tokens, said.finish) == (other.text, other.tokens, other.finish)
    assert ask(engine, surface, {**body, "logprobs": 1}).render.join(*apart.gains[:2]) is None
