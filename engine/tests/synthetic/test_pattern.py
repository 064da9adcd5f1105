import re

import pytest

from inferno_engine.synthetic.draws import Draws
from inferno_engine.synthetic.pattern import LONGEST, Unmatchable, matching


@pytest.mark.parametrize(
    "expression",
    [
        r"\d{3}-\d{4}",
        r"^(\+\d{1,3} )?[A-Z][a-z]+$",
        r"(yes|no|maybe)( indeed)*",
        r"[^aeiou\s]{5}",
        r"\w+@\w+\.(com|org)",
        r"(?P<quote>['\"])\w+(?P=quote)",
        r"(?i)abc",
        r".{0,10}",
        r"[一-龥]{2}é",
        r"a??b*?c+?",
        r"\S\D\W[^x]x",
        r"",
    ],
)
def test_what_is_drawn_matches_whatever_is_drawn(expression: str):
    texts = {matching(expression, Draws(bytes([seed]))) for seed in range(50)}
    assert all(re.fullmatch(expression, text) for text in texts)


def test_the_same_draws_make_the_same_text():
    assert matching(r"\w{20}", Draws(b"k")) == matching(r"\w{20}", Draws(b"k"))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "can be read: missing"),
        ("a(?=b)", "assert is not supported"),
        (r"a\bb", "needs more"),
        ("(a{1000}){1000}", str(LONGEST)),
    ],
)
def test_what_cannot_be_drawn_says_why(expression: str, reason: str):
    with pytest.raises(Unmatchable, match=reason):
        matching(expression, Draws(b"k"))
