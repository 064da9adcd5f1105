import pytest
from inferno_backend.seam import Delta, Usage
from inferno_backend.stock import ADDITIONAL, StockContract, prefix
from inferno_backend.tray import End

from inferno_core.errors import EngineFailed, InvalidRequest


def contract(*, stream: bool, n: int = 1, wanted: tuple[str, ...] = ADDITIONAL) -> StockContract:
    return StockContract(n=n, stream=stream, prefix="" if stream else "prompt", wanted=frozenset(wanted))


def tensors(output):
    return {name: array.tolist() for name, array in output.tensors}


def test_choices_without_news_are_empty_elements():
    made = contract(stream=True, n=2, wanted=()).encode([Delta(1, "x", (7,), 3)], None)
    assert tensors(made) == {"text_output": ["", "x"]}


def test_deltas_that_lag_are_joined():
    made = contract(stream=True).encode([Delta(0, "a", (1,), 3), Delta(0, "b", (2, 3), 3, "stop")], None)
    values = tensors(made)
    assert (values["text_output"], values["num_output_tokens"], values["finish_reason"]) == (["ab"], [3], ["stop"])


def test_token_ids_lie_flat_in_the_order_of_choices():
    words = [Delta(1, "y", (3,), 3), Delta(0, "x", (1, 2), 3)]
    values = tensors(contract(stream=True, n=2).encode(words, None))
    assert (values["token_ids"], values["num_output_tokens"]) == ([1, 2, 3], [2, 1])


def test_without_stream_all_comes_at_the_end():
    whole = contract(stream=False)
    assert whole.encode([Delta(0, "a", (1,), 3)], None) is None
    values = tensors(whole.encode([Delta(0, "b", (2,), 3, "length")], End(usage=Usage(3, 2))))
    assert (values["text_output"], values["num_input_tokens"]) == (["promptab"], [3])


def test_an_error_is_tritons_own():
    error = EngineFailed("No.")
    made = contract(stream=True).encode([], End(error=error))
    assert made is not None
    assert (made.error, made.tensors) == (error, ())


@pytest.mark.parametrize(
    ("stream", "exclude", "expected"),
    [(False, None, "p"), (False, False, "p"), (False, True, ""), (True, None, ""), (True, True, "")],
)
def test_what_repeats_the_prompt(stream: bool, exclude: bool | None, expected: str):
    assert prefix("p", stream, exclude) == expected


def test_a_stream_that_is_to_repeat_the_prompt_is_refused():
    with pytest.raises(InvalidRequest):
        prefix("p", True, False)
