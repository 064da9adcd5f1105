from typing import Any

import msgspec
import pytest

from inferno_api.completion import CompletionBody


def completion(**fields: Any) -> CompletionBody:
    return msgspec.convert({"model": "m", "prompt": "Hi", **fields}, CompletionBody)


def test_several_prompts_are_several_requests() -> None:
    with pytest.raises(msgspec.ValidationError, match="a request of its own"):
        completion(prompt=["a", "b"])


def test_the_best_of_has_to_be_all() -> None:
    assert completion(best_of=2, n=2).choices == 2
    with pytest.raises(msgspec.ValidationError, match="best_of"):
        completion(best_of=2)
