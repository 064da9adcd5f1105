from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferno_engine.synthetic import words
from inferno_engine.synthetic.forms import Formed
from inferno_engine.synthetic.text import LONGEST, SHORTEST, Sampling, answer


def test_the_same_request_gets_the_same_words():
    assert answer("a prompt", Sampling(seed=7)) == answer("a prompt", Sampling(seed=7))


def test_prompt_seed_and_choice_each_change_the_words():
    base = answer("a prompt", Sampling(max_tokens=20, seed=7)).text
    others = {
        answer("another prompt", Sampling(max_tokens=20, seed=7)).text,
        answer("a prompt", Sampling(max_tokens=20, seed=8)).text,
        answer("a prompt", Sampling(max_tokens=20, seed=7), choice=2).text,
    }
    assert len(others | {base}) == 4


def test_at_temperature_0_the_seed_plays_no_part():
    assert answer("p", Sampling(temperature=0, seed=1)) == answer("p", Sampling(temperature=0, seed=2))


def test_a_longer_answer_begins_with_the_shorter_one():
    short, long = (answer("p", Sampling(max_tokens=length)).tokens for length in (10, 100))
    assert long[:10] == short


@given(st.text())
def test_without_a_limit_it_ends_by_itself(prompt: str):
    made = answer(prompt, Sampling())
    assert SHORTEST <= len(made.tokens) <= LONGEST
    assert made.finish == "stop"


def test_with_a_limit_it_is_exactly_as_long():
    made = answer("p", Sampling(max_tokens=300))
    assert (len(made.tokens), made.finish) == (300, "length")
    assert len(made.text.split()) == 300


def test_the_context_cuts_it():
    made = answer("one two three", Sampling(max_tokens=50), context=10)
    assert (made.prompt_tokens, len(made.tokens), made.finish) == (3, 7, "length")


def test_pieces_are_what_the_tokens_spell():
    made = answer("p", Sampling(max_tokens=40))
    assert made.text == words.decode(made.tokens)


@given(st.integers(1, 38), st.integers(1, 9), st.booleans())
def test_a_stop_string_ends_it_wherever_it_lies(start: int, length: int, include: bool):
    whole = answer("p", Sampling(max_tokens=40)).text
    stop = whole[start : start + length]
    made = answer("p", Sampling(max_tokens=40, stop=(stop,), include_stop=include))
    first = whole.index(stop)
    assert made.text == whole[: first + len(stop) if include else first]
    assert made.finish == "stop"
    assert len(made.tokens) <= 40
    assert made.span(0, len(made.tokens) - 1) == made.text[: made.place(len(made.tokens) - 1)]


@given(st.lists(st.integers(0, 40), min_size=2, max_size=2), st.booleans())
def test_spans_joined_are_the_text_wherever_it_is_cut(cuts: list[int], include: bool):
    made = answer("p", Sampling(max_tokens=40, stop=("a b", "o k"), include_stop=include))
    first, second = sorted(min(cut, len(made.tokens)) for cut in cuts)
    spans = made.span(0, first), made.span(first, second), made.span(second, len(made.tokens))
    assert "".join(spans) == made.text


def test_the_stop_that_is_complete_first_counts():
    whole = answer("p", Sampling(max_tokens=40)).text
    long, short = whole[20:32], whole[26:30]
    assert answer("p", Sampling(max_tokens=40, stop=(long, short))).text == whole[:26]


def test_a_stop_token_ends_it_before_its_word():
    whole = answer("p", Sampling(max_tokens=40))
    stop = whole.tokens[7]
    first = whole.tokens.index(stop)
    made = answer("p", Sampling(max_tokens=40, stop_tokens=(stop,)))
    assert (made.tokens, made.text, made.finish) == (whole.tokens[: first + 1], whole.span(0, first), "stop")
    assert answer("p", Sampling(max_tokens=40, stop_tokens=(stop,), include_stop=True)).text == whole.span(0, first + 1)


@given(st.integers(1, 60))
def test_no_stop_counts_before_the_least_number_of_tokens(least: int):
    made = answer("p", Sampling(max_tokens=60, min_tokens=least, stop=("a",), stop_tokens=tuple(range(512))))
    assert len(made.tokens) >= least


def test_with_a_least_number_of_tokens_it_ends_by_itself_later():
    made = answer("p", Sampling(min_tokens=LONGEST + 50))
    assert (len(made.tokens), made.finish) == (LONGEST + 50, "stop")


def test_an_endless_one_goes_on_to_the_end_of_the_context():
    made = answer("one two", Sampling(endless=True), context=1000)
    assert (len(made.tokens), made.finish) == (998, "length")


def test_an_allowance_cuts_it():
    made = answer("p", Sampling(), allowance=5)
    assert (len(made.tokens), made.finish) == (5, "length")
    assert len(answer("p", Sampling(max_tokens=3), allowance=5).tokens) == 3


@pytest.mark.parametrize("most", [None, 10_000, 5])
def test_a_form_ends_it_where_the_form_is_complete(most: int | None):
    made = answer("p", Sampling(max_tokens=most), form=lambda _: Formed("[1, 22, {}]", finish="tool_calls"))
    assert made.finish == ("length" if most == 5 else "tool_calls")
    assert made.text == "".join(made.spelling(place) for place in range(len(made.tokens)))
    assert "[1, 22, {}]".startswith(made.text)


@pytest.mark.parametrize("other", [{"penalties": (0.5, 0.0, 1.0)}, {"filters": (0.9, 5.0, 0.0)}, {"temperature": 0.5}])
def test_every_parameter_of_sampling_shapes_the_words(other: dict[str, Any]):
    assert answer("p", Sampling(max_tokens=20)).text != answer("p", Sampling(max_tokens=20, **other)).text
