"""The small real model on vLLM in Triton, as its agent loads it."""

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from serving import ROOT, Server, Stream, ask, chat, children, ended, serve

from inferno_engine import desired, environment, layout, triton, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = environment.ensure_vllm_environment(ROOT)
    model = desired.smollm2(ROOT, weights.ensure_smollm2(ROOT, made), default=True)
    # Longer than the address of a socket can be.
    folder = tmp_path_factory.mktemp("triton" + "-long" * 20)
    layout.lay_out(layout.verify(model), triton.repository(folder))
    with serve(made, folder) as server:
        server.load("smollm2")
        yield server


def test_the_capital_of_france(smollm2: Server):
    answer = chat(smollm2.address, "smollm2", messages=QUESTION, temperature=0, seed=1)
    assert answer.text() == "The capital of France is Paris."
    assert answer.choices()[0]["delta"]["role"] == "assistant"
    assert sum(answer.all("token_count")) == len(answer.all("token_ids"))
    usage = json.loads(answer.all("usage")[0])
    assert usage["completion_tokens"] == len(answer.all("token_ids"))
    assert answer.finals == 1
    assert "usage" in answer.responses[-1]
    assert answer.responses[-1]["finish_reason"] == [b"stop"]


def test_choices_stop_strings_and_log_probabilities_are_vllms_own(smollm2: Server):
    body = {"messages": QUESTION, "top_k": 1, "n": 2, "logprobs": True, "top_logprobs": 1, "stop": [" is"]}
    answer = chat(smollm2.address, "smollm2", **body)
    assert {answer.text(0), answer.text(1)} == {"The capital of France"}
    words = [choice for choice in answer.choices() if choice["logprobs"]]
    assert words[0]["logprobs"]["content"][0]["token"] == "The"


def test_a_completion_of_two_prompts(smollm2: Server):
    body = json.dumps({"prompt": ["One, two,", "A, B,"], "max_tokens": 4, "temperature": 0})
    answer = ask(smollm2.address, "smollm2", openai_surface="completion", openai_body=body)
    assert answer.text(0)
    assert answer.text(1)
    assert json.loads(answer.all("usage")[0])["completion_tokens"] == 8


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"max_tokens": 100_000}, "context_length_exceeded"),
        ({"temperature": -1}, "invalid_request"),
        ({"messages": 3}, "invalid_request"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_request"),
        ({"top_p": 7}, "invalid_request"),
        ({"prompt_embeds": "AAAA"}, "invalid_request"),
    ],
)
def test_a_refusal_is_in_the_fixed_vocabulary(smollm2: Server, body: dict[str, object], code: str):
    failure = chat(smollm2.address, "smollm2", **{"messages": QUESTION, **body}).failure()
    assert failure["code"] == code
    assert "Traceback" not in failure["message"]


def test_the_stock_contract_on_a_real_model(smollm2: Server):
    sampling = json.dumps({"max_tokens": "3", "temperature": 0, "logprobs": 1})
    names = ("logprobs", "num_output_tokens", "cumulative_logprob")
    wanted = {f"return_{name}": True for name in names}
    answer = ask(smollm2.address, "smollm2", text_input="One two", stream=True, sampling_parameters=sampling, **wanted)
    assert sum(answer.all("num_output_tokens")) == 3
    assert all(json.loads(each) for each in answer.all("logprobs"))
    unknown = json.dumps({"no_such": 1})
    assert "no_such" in ask(smollm2.address, "smollm2", text_input="x", sampling_parameters=unknown).error


def test_who_hangs_up_frees_the_engine(smollm2: Server):
    """With all 32 slots taken, one that waits gets its first word once another client leaves."""
    body = json.dumps({"prompt": "Once", "max_tokens": 1500, "ignore_eos": True, "seed": 1})
    inputs = {"openai_surface": "completion", "openai_body": body}
    holding = [Stream(smollm2.address, "smollm2", inputs) for _ in range(32)]
    for stream in holding:
        stream.next(60)
    waiting = Stream(smollm2.address, "smollm2", inputs)
    left = time.monotonic()
    holding.pop().hang_up()
    waiting.next(60)
    # Two engine steps of 32 sequences are most of this.
    assert time.monotonic() - left < 5
    for stream in [waiting, *holding]:
        stream.hang_up()
    assert chat(smollm2.address, "smollm2", messages=QUESTION, max_tokens=2).text()


def test_a_killed_stub_takes_its_engine_with_it(smollm2: Server):
    (stub,) = smollm2.stubs()
    engine = [pid for child in children(stub) for pid in (child, *children(child))]
    assert engine
    os.kill(stub, signal.SIGKILL)
    assert ended([stub, *engine], 10)
