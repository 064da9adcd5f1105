import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic.prompts import pieces, prompts


@pytest.mark.parametrize("value", ["baba babe", ["baba babe"], [0, 1], [[0, 1]]])
def test_a_text_has_four_forms(value: object):
    assert prompts(value, "prompt") == ("baba babe",)


@pytest.mark.parametrize("value", [None, 3, [], [1, "a"], [[-1]], {"a": 1}])
def test_all_else_is_refused_by_name(value: object):
    with pytest.raises(InvalidRequest) as refused:
        prompts(value, "input")
    assert refused.value.param == "input"


@given(st.text())
def test_pieces_joined_are_the_text(text: str):
    assert "".join(pieces(text)) == text
