from hypothesis import given
from hypothesis import strategies as st

from inferno_engine.synthetic import words
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
    assert len(made.tokens) == len(made.pieces) <= 40
