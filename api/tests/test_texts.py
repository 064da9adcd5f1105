import pytest

from inferno_api.requests import texts
from inferno_api.requests.texts import Texts


@pytest.mark.parametrize(("value", "count"), [("", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1], [2], [3]], 3)])
def test_a_list_of_token_ids_is_one_text(value: Texts, count: int) -> None:
    assert texts.count(value) == count
    texts.check("prompt", value, count)


@pytest.mark.parametrize("value", [["a", 1], [1, "a"], [[1], "a"], ["a", [1]], [1, [1]]])
def test_unlike_items_are_refused(value: Texts) -> None:
    with pytest.raises(ValueError, match="mixes texts"):
        texts.check("prompt", value, 5)


@pytest.mark.parametrize(
    ("value", "least"), [("", 0), ("a", 1), ("a" * 257, 2), ([1, 2, 3], 3), (["a" * 300, "a"], 2), ([[1], [2, 3]], 2)]
)
def test_how_many_tokens_there_are_at_least(value: Texts, least: int) -> None:
    assert texts.least_tokens(value) == least
