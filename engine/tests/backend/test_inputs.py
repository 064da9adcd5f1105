import json
from collections.abc import Callable, Mapping

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


def sampling(**asked: object) -> Mapping[str, object]:
    return inputs.stock_call(Request(Sender(), {"text_input": "Hi", "sampling_parameters": json.dumps(asked)}), "g")[
        0
    ].sampling


def test_null_is_as_good_as_nothing():
    assert sampling(temperature=None, top_k=3) == {"top_k": 3}


@pytest.mark.parametrize("name", ["structured_outputs", "guided_decoding"])
@pytest.mark.parametrize("written", [json.dumps, dict])
def test_a_form_may_have_its_former_name_and_stand_in_a_string(name: str, written: Callable[..., object]):
    assert sampling(**{name: written({"regex": "a+"})}) == {"structured_outputs": {"regex": "a+"}}


def test_what_compiled_grammars_is_not_asked_any_more():
    form = {"structured_outputs": {"choice": ["a"]}}
    assert sampling(guided_decoding={"choice": ["a"], "backend": "xgrammar"}) == form
    assert sampling(guided_decoding={"regex": "b"}, **form) == form


@pytest.mark.parametrize("written", ["{", "[]", 7])
def test_a_form_that_is_none_is_refused_by_name(written: object):
    with pytest.raises(InvalidRequest) as refused:
        sampling(structured_outputs=written)
    assert refused.value.param == "structured_outputs"


def embedding(asked: object) -> Mapping[str, object]:
    return inputs.stock_embedding_call(Request(Sender(), {"embedding_request": json.dumps(asked)}), "g")[0].body


def test_a_vector_is_asked_for_as_a_text_or_as_tokens():
    assert embedding({"input": "hello"}) == {"input": "hello", "encoding_format": "float"}
    asked = embedding({"input": [101, 102], "pooling_params": {"dimensions": [8]}})
    assert asked == {"input": [101, 102], "encoding_format": "float", "dimensions": 8}


@pytest.mark.parametrize("asked", [{}, {"input": []}, {"input": ["a"]}, {"input": [True]}, {"input": [[1]]}, []])
def test_but_as_one_of_them(asked: object):
    with pytest.raises(InvalidRequest) as refused:
        embedding(asked)
    assert refused.value.param == "embedding_request"
