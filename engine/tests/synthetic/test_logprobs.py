import math

from hypothesis import given
from hypothesis import strategies as st

from inferno_engine.synthetic import logprobs, words
from inferno_engine.synthetic.text import Sampling, answer

ANSWER = answer("p", Sampling(max_tokens=30))


@given(st.integers(0, 29), st.integers(1, 20))
def test_those_of_one_place_are_ranked_and_add_up_to_less_than_1(place: int, count: int):
    rows = logprobs.ranked(ANSWER, place, count)
    values = [value for _, _, value in rows]
    assert values == sorted(values, reverse=True)
    assert len({token for token, _, _ in rows}) == len(rows) == count
    assert sum(map(math.exp, values)) < 1
    assert rows[0][:2] == (ANSWER.tokens[place], ANSWER.spelling(place))


def test_a_chat_is_told_each_token_with_its_bytes():
    content = logprobs.chat(ANSWER, 3, 5, 2)["content"]
    assert [entry["token"] for entry in content] == [ANSWER.spelling(3), ANSWER.spelling(4)]
    assert bytes(content[0]["bytes"]).decode() == content[0]["token"]
    assert content[0]["top_logprobs"][0] == {name: content[0][name] for name in ("token", "logprob", "bytes")}
    assert [len(entry["top_logprobs"]) for entry in content] == [2, 2]
    assert logprobs.chat(ANSWER, 0, 1, 0)["content"][0]["top_logprobs"] == []


def test_a_completion_is_told_where_each_token_stands():
    told = logprobs.completion(ANSWER, 0, 3, 2, offset=10)
    assert told["text_offset"] == [10, 14, 19]
    assert "".join(told["tokens"]) == ANSWER.span(0, 3)
    assert all(tops[token] == value for token, value, tops in zip(*(told[n] for n in NAMES), strict=True))


NAMES = ("tokens", "token_logprobs", "top_logprobs")


def test_an_echoed_prompt_begins_with_a_token_that_has_no_number():
    told = logprobs.echoed(logprobs.empty(), ["one", " two"])
    assert told["tokens"] == ["one", " two"]
    assert told["text_offset"] == [0, 3]
    assert told["token_logprobs"][0] is None
    assert told["token_logprobs"][1] < 0


def test_the_stock_contract_is_told_ranks_and_their_sum():
    (position,) = logprobs.stock(ANSWER, 4, 5, 2)
    first = position[str(ANSWER.tokens[4])]
    assert first["rank"] == 1
    assert first["decoded_token"] == ANSWER.spelling(4)
    assert logprobs.cumulative(ANSWER, 4, 5) == first["logprob"]
    halves = logprobs.cumulative(ANSWER, 0, 4) + logprobs.cumulative(ANSWER, 4, 9)
    assert math.isclose(logprobs.cumulative(ANSWER, 0, 9), halves)


def test_tokens_may_be_told_by_their_ids():
    made = answer("p", Sampling(max_tokens=3))
    (first, *_) = logprobs.chat(made, 0, 3, 2, numbered=True)["content"]
    assert first["token"] == first["top_logprobs"][0]["token"] == f"token_id:{made.tokens[0]}"
    told = logprobs.echoed(logprobs.completion(made, 0, 1, 1, 1, numbered=True), ["p"], numbered=True)
    assert told["tokens"] == [f"token_id:{words.token('p')}", f"token_id:{made.tokens[0]}"]
