"""The backend in a real Triton, with the synthetic engine: our contract, cancellation, and what a kill leaves."""

import json
import os
import signal
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import Server, Stream, ask, chat, ended

from inferno_engine import shared_memory
from inferno_engine.synthetic import embedding, request

pytestmark = pytest.mark.stack

LONG = {"openai_surface": "completion", "openai_body": json.dumps({"prompt": "long", "max_tokens": 5000})}
MESSAGES = [{"role": "user", "content": "Tell me."}]


def test_a_chat_is_what_the_pure_function_says(synthetic: Server):
    answer = chat(synthetic.address, "synthetic", temperature=0)
    assert answer.text() == request.chat_text(MESSAGES, temperature=0)
    first = answer.choices()[0]
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert answer.choices()[-1]["finish_reason"] == answer.all("finish_reason")[-1].decode() == "stop"


def test_tokens_stand_with_the_choice_they_belong_to(synthetic: Server):
    answer = chat(synthetic.address, "synthetic", n=2, seed=3, max_tokens=6)
    asked = request.chat({"messages": MESSAGES, "n": 2, "seed": 3, "max_tokens": 6}).answers(8192)
    tokens: dict[int, list[int]] = {0: [], 1: []}
    for response in answer.responses:
        flat = iter(response.get("token_ids", []))
        for index, count in zip(response.get("choice_index", []), response.get("token_count", []), strict=True):
            tokens[index] += [next(flat) for _ in range(count)]
    assert [tuple(tokens[index]) for index in (0, 1)] == [each.tokens for each in asked]
    assert [answer.text(index) for index in (0, 1)] == [each.text for each in asked]


def test_usage_and_the_last_words_come_with_the_one_final_response(synthetic: Server):
    answer = chat(synthetic.address, "synthetic", max_tokens=5)
    assert answer.finals == 1
    assert json.loads(answer.responses[-1]["usage"][0]) == {
        "prompt_tokens": 4,
        "completion_tokens": 5,
        "cached_tokens": 0,
    }
    assert answer.responses[-1]["finish_reason"] == [b"length"]


def test_a_stop_string_ends_the_text_before_it(synthetic: Server):
    whole = request.chat_text(MESSAGES, temperature=0, max_tokens=20)
    stop = whole.split()[7]
    answer = chat(synthetic.address, "synthetic", temperature=0, max_tokens=20, stop=[stop])
    assert answer.text() == whole[: whole.index(stop)]
    assert answer.choices()[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": []}, "invalid_request", "messages"),
        ({"max_tokens": 9000}, "context_length_exceeded", "max_tokens"),
        ({"temperature": 9}, "invalid_request", "temperature"),
    ],
)
def test_a_refusal_is_in_the_fixed_vocabulary(synthetic: Server, body: dict[str, object], code: str, param: str):
    failure = chat(synthetic.address, "synthetic", **body).failure()
    assert (failure["code"], failure["param"]) == (code, param)
    assert "Traceback" not in failure["message"]


def test_a_body_that_is_no_json_is_refused(synthetic: Server):
    failure = ask(synthetic.address, "synthetic", openai_surface="chat", openai_body="{").failure()
    assert failure["param"] == "openai_body"


TOOL = {
    "type": "function",
    "function": {
        "name": "move",
        "parameters": {"type": "object", "properties": {"by": {"type": "integer"}}, "required": ["by"]},
    },
}


def test_a_tool_is_called_piece_by_piece(synthetic: Server):
    answer = chat(synthetic.address, "synthetic", tools=[TOOL], tool_choice="required")
    pieces = [call for choice in answer.choices() for call in choice["delta"].get("tool_calls", ())]
    assert (pieces[0]["type"], pieces[0]["function"]["name"]) == ("function", "move")
    assert len(pieces) > 2
    assert isinstance(json.loads("".join(piece["function"]["arguments"] for piece in pieces))["by"], int)
    assert answer.choices()[-1]["finish_reason"] == "tool_calls"


def test_an_answer_is_valid_under_its_schema(synthetic: Server):
    schema = {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3, "maxItems": 4}
    answer = chat(
        synthetic.address, "synthetic", response_format={"type": "json_schema", "json_schema": {"schema": schema}}
    )
    said = json.loads(answer.text())
    assert set(said) <= {"a", "b"}
    assert len(said) in (3, 4)


def test_log_probabilities_come_with_each_token(synthetic: Server):
    answer = chat(synthetic.address, "synthetic", max_tokens=4, logprobs=True, top_logprobs=2)
    told = [entry for choice in answer.choices() for entry in (choice["logprobs"] or {}).get("content", ())]
    assert "".join(entry["token"] for entry in told) == answer.text()
    assert [len(entry["top_logprobs"]) for entry in told] == [2] * 4


def test_an_embedding_is_a_choice_object_of_its_own(synthetic: Server):
    body = json.dumps({"input": ["one", "two words"], "dimensions": 16})
    answer = ask(synthetic.address, "synthetic", openai_surface="embedding", openai_body=body)
    assert [(each["object"], each["index"]) for each in answer.choices()] == [("embedding", 0), ("embedding", 1)]
    assert answer.choices()[1]["embedding"] == pytest.approx(embedding.vector("two words", 16))
    assert json.loads(answer.responses[-1]["usage"][0])["prompt_tokens"] == 3


def test_faults_are_refused_unless_model_json_has_them(synthetic: Server):
    failure = chat(synthetic.address, "synthetic", synthetic_fault={"kind": "crash"}).failure()
    assert (failure["code"], failure["param"]) == ("invalid_request", "synthetic_fault")


def test_a_crash_on_request_ends_the_stub(own_synthetic: Server):
    file = own_synthetic.run_folder / "repository" / "synthetic" / "1" / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"faults": True}))
    before = own_synthetic.stubs()
    own_synthetic.load("synthetic")
    assert ended(before, 10)
    (stub,) = set(own_synthetic.stubs()) - set(before)
    body = json.dumps({"prompt": "p", "max_tokens": 50, "synthetic_fault": {"kind": "crash", "token": 5}})
    stream = Stream(own_synthetic.address, "synthetic", {"openai_surface": "completion", "openai_body": body})
    assert stream.next()
    assert ended([stub], 10)
    stream.hang_up()


def test_a_hundred_at_once_each_get_every_word_once(synthetic: Server):
    def one(seed: int) -> bool:
        answer = chat(synthetic.address, "synthetic", seed=seed, max_tokens=20)
        return answer.text() == request.chat_text(MESSAGES, seed=seed, max_tokens=20)

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(100)))


def test_who_hangs_up_frees_the_slot_within_250_ms(synthetic: Server):
    """All 64 slots are taken; when one client leaves, the one that waited gets its first word."""
    holding = [Stream(synthetic.address, "synthetic", LONG) for _ in range(64)]
    for stream in holding:
        stream.next()
    waits = []
    for leaving in holding[:12]:
        waiting = Stream(synthetic.address, "synthetic", LONG)
        # It has reached the engine once a later request to the same process is refused at once.
        assert ask(synthetic.address, "synthetic", openai_body="{").failure()
        left = time.monotonic()
        threading.Thread(target=leaving.hang_up).start()
        waiting.next()
        waits.append(time.monotonic() - left)
        holding.append(waiting)
    for stream in holding[12:]:
        stream.hang_up()
    assert sorted(waits)[-2] <= 0.25, waits


def test_no_request_is_left_behind(synthetic: Server):
    """Once clients are gone the model can be unloaded, which waits for every request that Triton still counts."""
    stream = Stream(synthetic.address, "synthetic", LONG)
    stream.next()
    stream.hang_up()
    address = f"http://127.0.0.1:{synthetic.ports.http}/v2/repository/models/synthetic/unload"
    stubs = synthetic.stubs()
    urllib.request.urlopen(urllib.request.Request(address, b"", method="POST"), timeout=20).read()
    assert ended(stubs, 10)
    synthetic.load("synthetic")


def test_killing_tritonserver_ends_its_stub(own_synthetic: Server):
    stubs = own_synthetic.stubs()
    assert stubs
    own_synthetic.process.kill()
    own_synthetic.process.wait()
    assert ended(stubs, 5)
    shared_memory.clean(own_synthetic.run_folder)
    prefix = shared_memory.prefix(own_synthetic.run_folder)
    assert not list(Path("/dev/shm").glob(f"{prefix}*"))


def test_a_killed_stub_can_be_loaded_again(own_synthetic: Server):
    (stub,) = own_synthetic.stubs()
    os.kill(stub, signal.SIGKILL)
    assert ended([stub], 5)
    address = f"http://127.0.0.1:{own_synthetic.ports.http}/v2/repository/models/synthetic/unload"
    urllib.request.urlopen(urllib.request.Request(address, b"", method="POST"), timeout=20).read()
    own_synthetic.load("synthetic")
    assert chat(own_synthetic.address, "synthetic", max_tokens=2).text()
