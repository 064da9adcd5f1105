import json

import pytest

from inferno_core.errors import InvalidRequest
from inferno_core.records import Request, Surface, Tenant, Usage
from inferno_stream import tensors
from inferno_stream.stock import UNKNOWN_TOKEN, StockContract


def request(surface: Surface = "completion", **body: object) -> Request:
    tenant = Tenant("o", "p", "k")
    return Request("id", surface, json.dumps(body).encode(), "model", "", tenant, "reader", 0, seed=7)


def strings(*texts: str) -> bytes:
    made = tensors.new_request("model", "", "")
    for text in texts:
        tensors.add_string(made, "text", text)
    return b"".join(made.raw_input_contents)


def test_the_sampling_parameters_that_vllm_knows_are_passed_on() -> None:
    asked = tensors.new_request("model", "", "")
    StockContract(request(prompt="The capital is", max_tokens=4, top_p=0.5, user="someone")).ask(asked)
    values = dict(zip([tensor.name for tensor in asked.inputs], asked.raw_input_contents, strict=True))
    assert values["text_input"][4:] == b"The capital is"
    assert json.loads(values["sampling_parameters"][4:]) == {"max_tokens": 4, "top_p": 0.5, "seed": 7}


@pytest.mark.parametrize(
    "asked",
    [
        request("chat"),
        request("embedding"),
        request(prompt=["a", "b"]),
        request(prompt=[1, 2]),
        request(prompt="a", n=2),
    ],
    ids=["chat", "embedding", "two prompts", "token ids", "two choices"],
)
def test_what_it_can_not_do_is_refused(asked: Request) -> None:
    with pytest.raises(InvalidRequest, match="stock vLLM backend"):
        StockContract(asked).ask(tensors.new_request("model", "", ""))


def test_tokens_are_counted_though_their_ids_are_not_told() -> None:
    contract = StockContract(request(prompt="a"))
    outputs = {"text_output": strings("ab"), "num_output_tokens": b"\2\0\0\0", "num_input_tokens": b"\3\0\0\0"}
    (first,) = contract.read(outputs, last=False)
    assert first.tokens == (UNKNOWN_TOKEN, UNKNOWN_TOKEN)
    assert first.final is None
    (last,) = contract.read({}, last=True)
    assert last.choice == -1
    assert last.final is not None
    assert last.final.usage == Usage(3, 2)


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"logit_bias": {"5": 1}}, "logit_bias"), ({"echo": True}, "echo"), ({"logprobs": 0}, "logprobs")],
)
def test_what_this_backend_would_leave_out_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        StockContract(request(prompt="Hi", **fields)).ask(tensors.new_request("model", "", ""))
    assert refused.value.param == param


def test_fields_that_ask_for_nothing_are_taken() -> None:
    harmless = request(prompt="Hi", echo=False, logit_bias={}, stop=["."], top_k=3, user="me")
    StockContract(harmless).ask(tensors.new_request("model", "", ""))
