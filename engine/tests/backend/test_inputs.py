import pytest
from inferno_backend import inputs
from triton_python_backend_utils import Request, Sender

from inferno_core.errors import InvalidRequest


def asked(**values: str | bytes | list[int]) -> Request:
    return Request(Sender(), values)


def test_a_prompt_may_be_text_or_tokens():
    assert inputs.stock_call(asked(text_input="Hi"), "g")[0].prompt == "Hi"
    assert inputs.stock_call(asked(input_ids=[5, 6, 7]), "g")[0].prompt == [5, 6, 7]


@pytest.mark.parametrize(
    ("values", "param"),
    [({}, "text_input"), ({"text_input": "Hi", "input_ids": [1]}, "input_ids")],
)
def test_but_one_of_them(values: dict[str, str | list[int]], param: str):
    with pytest.raises(InvalidRequest) as refused:
        inputs.stock_call(asked(**values), "g")
    assert refused.value.param == param


def test_of_a_prompt_in_tokens_nothing_is_repeated():
    _, contract = inputs.stock_call(asked(input_ids=[5]), "g")
    assert contract.prefix == ""


def test_a_call_has_its_priority_and_its_surface():
    call, _ = inputs.openai(asked(openai_body="{}", openai_surface="embedding", priority=[4]), "g")
    assert (call.surface, call.priority) == ("embedding", 4)


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"openai_body": "[]"}, "openai_body"),
        ({"openai_body": "["}, "openai_body"),
        ({"openai_body": "[" * 100_000}, "openai_body"),
        ({"openai_body": b"\xff"}, "openai_body"),
        ({"openai_body": "{}", "openai_surface": "song"}, "openai_surface"),
    ],
)
def test_what_is_no_body_is_refused_by_name(values: dict[str, str | bytes], param: str):
    with pytest.raises(InvalidRequest) as refused:
        inputs.openai(asked(**values), "g")
    assert refused.value.param == param


@pytest.mark.parametrize("n", ["1e999", "NaN", "129", "-1", '"many"', "[2]"])
def test_a_number_of_choices_that_can_not_be_is_refused_by_name(n: str):
    with pytest.raises(InvalidRequest) as refused:
        inputs.stock_call(asked(text_input="Hi", sampling_parameters=f'{{"n": {n}}}'), "g")
    assert refused.value.param == "n"
