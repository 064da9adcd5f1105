from typing import Any

import pytest

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic import vocabulary, words
from inferno_engine.synthetic.request import chat
from inferno_engine.synthetic.text import Answer
from inferno_engine.synthetic.vocabulary import ALL

USER = [{"role": "user", "content": "Hi"}]


def answer(**fields: Any) -> Answer:
    return chat({"messages": USER, "max_tokens": 200, **fields}).answers(8192)[0]


def test_who_says_nothing_has_all_words():
    assert vocabulary.read({"logit_bias": None, "bad_words": []}) is ALL
    assert answer().tokens == answer(logit_bias={}).tokens


def test_a_bias_bans_or_forces_or_only_shapes():
    plain = answer()
    banned = answer(logit_bias={str(token): -100 for token in set(plain.tokens)})
    assert set(banned.tokens).isdisjoint(plain.tokens)
    assert set(answer(logit_bias={"7": 100}).tokens) == {7}
    shaped = answer(logit_bias={"7": 1.5})
    assert shaped.tokens != plain.tokens
    assert shaped.tokens == answer(logit_bias={"7": 1.5}).tokens


def test_only_what_is_allowed_is_said():
    assert set(answer(allowed_token_ids=[3, 4, 5]).tokens) == {3, 4, 5}
    assert set(answer(allowed_token_ids=[3, 4], logit_bias={"4": -100}).tokens) == {3}


def test_bad_words_never_come():
    plain = answer()
    word = words.word(plain.tokens[0])
    assert word not in answer(bad_words=[word]).text.split()
    pair = " ".join(plain.text.split()[:2])
    avoided = answer(bad_words=[pair])
    assert pair not in avoided.text
    assert avoided.tokens[0] == plain.tokens[0]
    assert avoided.tokens[1] != plain.tokens[1]


def test_tokens_of_any_length_are_spelt_as_they_are():
    made = answer(allowed_token_ids=[0, words.TOKENS - 1], max_tokens=40)
    assert set(made.text.split()) == {"baba", f"<{words.TOKENS - 1}>"}
    assert "".join(made.spelling(token) for token in range(40)) == made.text
    assert "".join(made.span(start, start + 8) for start in range(0, 40, 8)) == made.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {str(words.TOKENS): 1}}, "logit_bias"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logit_bias": {str(token): -100 for token in range(1024)}}, "logit_bias"),
        ({"allowed_token_ids": []}, "allowed_token_ids"),
        ({"allowed_token_ids": [5], "logit_bias": {"5": -100}}, "allowed_token_ids"),
        ({"bad_words": [1]}, "bad_words"),
    ],
)
def test_what_leaves_no_answer_is_refused(fields: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refused:
        answer(**fields)
    assert refused.value.param == param
