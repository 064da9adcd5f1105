import base64
import math
import struct
from typing import Any

import pytest

from inferno_core.errors import ContextLengthExceeded, InvalidRequest
from inferno_engine.synthetic.embedding import DIMENSIONS, inputs, vector


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("text", ["", "hello", "a longer text of several words", "\0"])
def test_every_text_has_a_vector_of_length_1(text: str):
    assert math.isclose(cosine(vector(text, 64), vector(text, 64)), 1)


def test_alike_texts_lie_closer_together():
    cat, kitten, law = (vector(text, 256) for text in ("the cat sat down", "the cat sat up", "a law of physics"))
    assert cosine(cat, kitten) > 0.6 > 0.3 > cosine(cat, law)
    assert vector("one two", 64) != vector("two one", 64)


def test_it_is_written_as_the_request_wants_it():
    plain = inputs({"input": ["one", "two"]})
    assert len(plain.embedding(0)) == DIMENSIONS
    coded = inputs({"input": "one", "dimensions": 8, "encoding_format": "base64"}).embedding(0)
    assert isinstance(coded, str)
    assert struct.unpack("<8f", base64.b64decode(coded)) == pytest.approx(vector("one", 8))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, Any], param: str):
    with pytest.raises(InvalidRequest) as refused:
        inputs(body)
    assert refused.value.param == param


def test_what_does_not_fit_the_context_is_refused():
    inputs({"input": ["a " * 10]}).fit(10)
    with pytest.raises(ContextLengthExceeded, match="has 11"):
        inputs({"input": ["a", "a " * 11]}).fit(10)
