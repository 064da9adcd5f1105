from typing import Any

import msgspec
import pytest

from inferno_api.requests.completion import CompletionBody


def completion(**fields: Any) -> CompletionBody:
    return msgspec.convert({"model": "m", "prompt": "Hi", **fields}, CompletionBody)


@pytest.mark.parametrize(
    ("prompt", "count"), [("a", 1), (["a"], 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)]
)
def test_each_prompt_has_its_choices(prompt: Any, count: int) -> None:
    assert completion(prompt=prompt).choices == count
    assert completion(prompt=prompt, n=3).choices == 3 * count


def test_prompts_and_choices_are_bounded_together() -> None:
    assert completion(prompt=["a"] * 64, n=2).choices == 128
    with pytest.raises(msgspec.ValidationError, match="asks for 130 answers"):
        completion(prompt=["a"] * 65, n=2)
    with pytest.raises(msgspec.ValidationError, match="has 129 texts"):
        completion(prompt=["a"] * 129)


def test_an_answer_has_sixteen_tokens_where_nothing_is_said() -> None:
    assert completion().allowance == 16
    assert completion(max_tokens=40).allowance == 40


def test_the_best_of_has_to_be_all() -> None:
    assert completion(best_of=2, n=2).choices == 2
    with pytest.raises(msgspec.ValidationError, match="all answers are given"):
        completion(best_of=2)
