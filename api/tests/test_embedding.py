from typing import Any

import msgspec
import pytest

from inferno_api.requests.embedding import MAX_INPUTS, EmbeddingBody


def embedding(**fields: Any) -> EmbeddingBody:
    return msgspec.convert({"model": "m", **fields}, EmbeddingBody)


@pytest.mark.parametrize(("value", "count"), [("a", 1), (["a", "b"], 2), ([1, 2], 1), ([[1], [2]], 2)])
def test_each_input_has_one_vector(value: Any, count: int) -> None:
    assert embedding(input=value).choices == count


def test_inputs_are_bounded() -> None:
    assert embedding(input=["a"] * MAX_INPUTS).choices == MAX_INPUTS
    with pytest.raises(msgspec.ValidationError, match="at most 2048"):
        embedding(input=["a"] * (MAX_INPUTS + 1))


@pytest.mark.parametrize("fields", [{"dimensions": 0}, {"encoding_format": "hex"}, {"input": ["a", 1]}, {"input": []}])
def test_what_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        embedding(**{"input": "a", **fields})
