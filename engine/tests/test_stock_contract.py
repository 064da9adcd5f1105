"""What a client of Triton's own vLLM backend sends and expects."""

import json
import urllib.request

import pytest
from serving import Server, ask

from inferno_engine.synthetic import request

pytestmark = pytest.mark.stack

PROMPT = "The most dangerous animal is"
SAMPLING = json.dumps({"temperature": "0", "max_tokens": "6"})


def expected(**parameters: object) -> str:
    return request.stock(PROMPT, {"temperature": 0, "max_tokens": 6, **parameters}).answers(8192)[0].text


def stock(server: Server, **inputs: object):
    inputs.setdefault("sampling_parameters", SAMPLING)
    return ask(server.address, "synthetic", text_input=PROMPT, **inputs)


def test_a_stream_gives_the_text_in_deltas(synthetic: Server):
    answer = stock(synthetic, stream=True)
    assert "".join(text.decode() for text in answer.all("text_output")) == expected()
    assert len(answer.all("text_output")) > 1
    assert answer.finals == 1


def test_without_stream_there_is_one_response_that_repeats_the_prompt(synthetic: Server):
    answer = stock(synthetic)
    assert [text.decode() for text in answer.all("text_output")] == [PROMPT + expected()]
    assert len(answer.responses) == 1


def test_the_prompt_can_be_left_out(synthetic: Server):
    answer = stock(synthetic, exclude_input_in_output=True)
    assert answer.all("text_output")[0].decode() == expected()


def test_a_stream_cannot_repeat_the_prompt(synthetic: Server):
    assert "exclude_input_in_output" in stock(synthetic, stream=True, exclude_input_in_output=False).error


def test_sixteen_tokens_are_the_default(synthetic: Server):
    answer = stock(synthetic, sampling_parameters="{}", return_num_output_tokens=True)
    assert answer.all("num_output_tokens") == [16]


def test_additional_outputs_come_when_asked_for(synthetic: Server):
    names = ("finish_reason", "cumulative_logprob", "logprobs", "num_input_tokens", "num_output_tokens")
    answer = stock(synthetic, stream=True, **{f"return_{name}": True for name in names})
    assert all(set(names) <= set(response) for response in answer.responses if "text_output" in response)
    assert answer.all("finish_reason")[-1] == b"length"
    assert set(answer.all("finish_reason")[:-1]) == {b"None"}
    assert set(answer.all("num_input_tokens")) == {5}
    assert sum(answer.all("num_output_tokens")) == 6
    assert set(stock(synthetic).responses[0]) == {"text_output"}


def test_each_of_n_choices_is_an_element(synthetic: Server):
    answer = stock(synthetic, sampling_parameters=json.dumps({"n": 2, "seed": 1, "max_tokens": 4}))
    assert len(answer.all("text_output")) == len(set(answer.all("text_output"))) == 2


@pytest.mark.parametrize(
    ("inputs", "word"),
    [({"sampling_parameters": "{"}, "sampling_parameters"), ({"image": "AAAA"}, "image")],
)
def test_what_cannot_be_honoured_is_an_error(synthetic: Server, inputs: dict[str, str], word: str):
    assert word in stock(synthetic, **inputs).error


def test_a_form_stands_in_a_string(synthetic: Server):
    sampling = {"max_tokens": 6, "structured_outputs": json.dumps({"choice": ["lion"]})}
    answer = stock(synthetic, sampling_parameters=json.dumps(sampling), exclude_input_in_output=True)
    assert answer.all("text_output") == [b"lion"]


def test_a_vector_is_asked_for_beside_an_empty_text(synthetic: Server):
    asked = json.dumps({"input": PROMPT, "pooling_params": {"dimensions": [8]}})
    names = ("num_input_tokens", "num_output_tokens")
    counts = {f"return_{name}": True for name in names}
    answer = ask(synthetic.address, "synthetic", text_input="", embedding_request=asked, **counts)
    (vector,) = answer.all("text_output")
    assert len(json.loads(vector)) == 8
    assert [answer.all(name) for name in names] == [[5], [0]]


def test_http_generate_works_with_parameters(synthetic: Server):
    body = json.dumps({"text_input": PROMPT, "parameters": {"temperature": 0, "max_tokens": 6}}).encode()
    address = f"http://127.0.0.1:{synthetic.ports.http}/v2/models/synthetic/generate"
    with urllib.request.urlopen(urllib.request.Request(address, body), timeout=10) as response:
        assert json.load(response)["text_output"] == PROMPT + expected()
