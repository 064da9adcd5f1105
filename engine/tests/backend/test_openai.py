import json

from inferno_backend.openai import OpenAIContract
from inferno_backend.seam import Choice, Usage
from inferno_backend.tray import End

from inferno_core.errors import ContextLengthExceeded


def tensors(output):
    return {name: array.tolist() for name, array in output.tensors}


def test_boundaries_are_kept_in_flat_tensors():
    made = OpenAIContract().encode([Choice(0, (), b"role"), Choice(0, (7, 8), b"words"), Choice(1, (9,), b"x")], None)
    assert tensors(made) == {
        "choice": [b"role", b"words", b"x"],
        "choice_index": [0, 0, 1],
        "token_count": [0, 2, 1],
        "token_ids": [7, 8, 9],
        "finish_reason": ["", "", ""],
    }


def test_usage_comes_with_the_last_words():
    values = tensors(OpenAIContract().encode([Choice(0, (1,), b"x", "stop")], End(usage=Usage(3, 1, 2))))
    assert json.loads(values["usage"][0]) == {"prompt_tokens": 3, "completion_tokens": 1, "cached_tokens": 2}


def test_an_error_is_a_code_a_message_and_a_parameter():
    made = OpenAIContract().encode([], End(error=ContextLengthExceeded("Too long.", param="messages")))
    assert json.loads(tensors(made)["error"][0]) == {
        "code": "context_length_exceeded",
        "message": "Too long.",
        "param": "messages",
    }


def test_an_end_without_words_needs_no_response():
    assert OpenAIContract().encode([], End()) is None
