from typing import Any

import pytest
from inferno_backend.refusal import check_allowance, misfit, refusal

from inferno_core.errors import ContextLengthExceeded

ASKED: dict[str, Any] = {"temperature": -1, "top_p": 3, "messages": [{"role": "user", "content": "x" * 500}]}


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (400, "This model's maximum context length is 100 tokens.", "context_length_exceeded"),
        (400, "temperature must be non-negative.", "invalid_request"),
        (404, "No such adapter.", "invalid_request"),
        (429, "Too much.", "unavailable"),
        (503, "Not now.", "unavailable"),
        (500, "Traceback", "engine_failed"),
    ],
)
def test_the_vocabulary_is_fixed(status: int, said: str, code: str):
    error = refusal(status, said, None, ASKED, 100)
    assert error.code == code
    assert said not in error.message


def test_the_field_at_fault_is_named_with_its_value():
    error = refusal(400, "Sampler at /opt/x: top_p must be in (0, 1].", None, ASKED, 100)
    assert error.param == "top_p"
    assert error.message == "top_p is 3, which this model's engine does not take; change it."


def test_the_engines_own_parameter_counts_only_if_it_was_asked_for():
    assert refusal(400, "temperature is wrong", "top_p", ASKED, 100).param == "top_p"
    assert refusal(400, "It is wrong", "internal_state", ASKED, 100).param is None


def test_a_word_that_is_a_fields_name_by_chance_is_not_taken_for_it():
    assert refusal(400, "The messages are odd.", None, ASKED, 100).param is None


def test_no_words_are_repeated():
    assert "xx" not in misfit("messages", ASKED).message


def test_more_tokens_than_are_left_are_refused_by_name():
    with pytest.raises(ContextLengthExceeded, match="leaves 12 for the answer, and 13") as refused:
        check_allowance({"max_tokens": 13}, 12, 64)
    assert refused.value.param == "max_tokens"
    with pytest.raises(ContextLengthExceeded) as newer:
        check_allowance({"max_tokens": 1, "max_completion_tokens": 13}, 12, 64)
    assert newer.value.param == "max_completion_tokens"


@pytest.mark.parametrize("asked", [{}, {"max_tokens": None}, {"max_tokens": 12}])
def test_what_fits_is_taken(asked: dict[str, Any]):
    check_allowance(asked, 12, 64)
