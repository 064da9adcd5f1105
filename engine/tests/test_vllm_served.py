"""The small real model on vLLM in Triton, as its agent loads it."""

import json
import os
import queue
import re
import shutil
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT, Answer, Server, Stream, ask, children, ended, serve
from serving import chat as ask_chat

from inferno_engine import desired, environment, layout, triton, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

NAME = "smollm2"
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
# A model that reasons by default says nothing else before it has come to an end with that.
SPEAKS: dict[str, Any] = {"temperature": 0, "chat_template_kwargs": {"enable_thinking": False}}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "unit": {"enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
# The model is too small to call a tool by itself: a form that begins so makes it begin a call.
CALLS = r'<tool_call>\n\{"name": "weather", "arguments": \{"city": "Paris", "unit": "C"\}\}\n</tool_call>'
# Marks of reasoning have to be tokens: two that are never used become so.
MARKS = {"<repo_name>": "<think>", "<reponame>": "</think>"}


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = environment.ensure_vllm_environment(ROOT)
    verified = layout.verify(desired.smollm2(ROOT, weights.ensure_smollm2(ROOT, made), default=True))
    arguments = {
        "model": str(reasoner(Path(verified.arguments["model"]), tmp_path_factory.mktemp("weights"))),
        "reasoning_parser": "qwen3",
        "tool_call_parser": "hermes",
    }
    # Longer than the address of a socket can be.
    folder = tmp_path_factory.mktemp("triton" + "-long" * 20)
    layout.lay_out(verified._replace(arguments=verified.arguments | arguments), triton.repository(folder))
    with serve(made, folder) as server:
        server.load(NAME)
        yield server


def reasoner(weights: Path, folder: Path) -> Path:
    """Copy a model, so that it has the marks of reasoning among its tokens."""
    shutil.copytree(weights, folder, dirs_exist_ok=True)
    for file in folder.glob("tokenizer*.json"):
        text = file.read_text()
        for old, new in MARKS.items():
            text = text.replace(old, new)
        file.write_text(text)
    return folder


def chat(server: Server, **body: Any) -> Answer:
    return ask_chat(server.address, NAME, **{"messages": QUESTION, "max_tokens": 60, **SPEAKS, **body})


def complete(server: Server, **body: Any) -> Answer:
    asked = {"prompt": "One, two,", "max_tokens": 4, "temperature": 0, **body}
    return ask(server.address, NAME, openai_surface="completion", openai_body=json.dumps(asked))


def said(answer: Answer, field: str, index: int = 0) -> str:
    """What a choice said in one field of its deltas."""
    mine = [choice["delta"] for choice in answer.choices() if choice["index"] == index]
    return "".join(delta.get(field) or "" for delta in mine)


def tool_calls(answer: Answer) -> list[tuple[str, Any]]:
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for call in (call for choice in answer.choices() for call in choice["delta"].get("tool_calls") or ()):
        index, function = call["index"], call["function"]
        names[index] = names.get(index, "") + (function.get("name") or "")
        arguments[index] = arguments.get(index, "") + (function.get("arguments") or "")
    return [(names[index], json.loads(arguments[index])) for index in sorted(names)]


def finish(answer: Answer, index: int = 0) -> str:
    (reason,) = [c["finish_reason"] for c in answer.choices() if c["index"] == index and c["finish_reason"]]
    return reason


def test_the_capital_of_france(smollm2: Server):
    answer = chat(smollm2, seed=1)
    assert answer.text() == "The capital of France is Paris."
    assert answer.choices()[0]["delta"] == {"role": "assistant", "content": ""}
    assert sum(answer.all("token_count")) == len(answer.all("token_ids"))
    usage = json.loads(answer.all("usage")[0])
    assert usage["completion_tokens"] == len(answer.all("token_ids"))
    assert answer.finals == 1
    assert "usage" in answer.responses[-1]
    assert b"stop" in answer.responses[-1]["finish_reason"]


def test_choices_stop_strings_and_log_probabilities_are_vllms_own(smollm2: Server):
    answer = chat(smollm2, n=2, logprobs=True, top_logprobs=1, stop=[" is"])
    assert {answer.text(0), answer.text(1)} == {"The capital of France"}
    words = [choice for choice in answer.choices() if choice["logprobs"]]
    assert words[0]["logprobs"]["content"][0]["token"] == "The"
    assert chat(smollm2, stop=[" is"], include_stop_str_in_output=True).text() == "The capital of France is"


def test_each_choice_has_a_seed_of_its_own(smollm2: Server):
    sampled = {"temperature": 1, "max_tokens": 12}
    two = chat(smollm2, n=2, seed=7, **sampled)
    assert two.text(0) == chat(smollm2, seed=7, **sampled).text()
    assert two.text(1) == chat(smollm2, seed=8, **sampled).text()
    assert two.text(0) != two.text(1)


def test_a_message_is_continued(smollm2: Server):
    begun = [*QUESTION, {"role": "assistant", "content": "The capital of"}]
    answer = chat(smollm2, messages=begun, continue_final_message=True, add_generation_prompt=False, echo=True)
    assert answer.text().startswith("The capital of France")


def test_a_completion_of_several_prompts_as_text_or_as_tokens(smollm2: Server):
    answer = complete(smollm2, prompt=["One, two,", "A, B,"], n=2)
    assert answer.text(0) == answer.text(1) == complete(smollm2).text()
    assert answer.text(2) == answer.text(3) != answer.text(0)
    usage = json.loads(answer.all("usage")[0])
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (8, 16)
    tokens = complete(smollm2, prompt=[[2705, 28, 827, 28], [49, 28, 389, 28]])
    assert tokens.text(0) == answer.text(0)
    assert complete(smollm2, prompt=[2705, 28, 827, 28]).text() == answer.text(0)


def test_a_completion_echoes_its_prompt_with_log_probabilities(smollm2: Server):
    answer = complete(smollm2, echo=True, logprobs=1)
    assert answer.text().startswith("One, two,")
    assert answer.choices()[0]["logprobs"]["tokens"][:2] == ["One", ","]
    assert "prompt_token_ids" not in answer.choices()[0]


def test_a_schema_is_followed(smollm2: Server):
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    place = json.loads(chat(smollm2, response_format=form).text())
    assert set(place) == {"city", "unit"}
    assert place["unit"] in ("C", "F")


@pytest.mark.parametrize(
    ("structured", "form"),
    [
        ({"regex": "[0-9]{3}-[a-z]{2}"}, "[0-9]{3}-[a-z]{2}"),
        ({"choice": ["Rome", "Oslo"]}, "Rome|Oslo"),
        ({"grammar": 'root ::= "a" | "b" root'}, "b*a"),
    ],
)
def test_a_form_is_kept_to(smollm2: Server, structured: dict[str, Any], form: str):
    assert re.fullmatch(form, chat(smollm2, structured_outputs=structured).text())


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_that_is_forced_is_called_by_its_schema(smollm2: Server, choice: Any):
    answer = chat(smollm2, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False, max_tokens=90)
    ((name, arguments),) = tool_calls(answer)
    assert (name, set(arguments), said(answer, "content")) == ("weather", {"city", "unit"}, "")


def test_a_tool_is_called_by_itself(smollm2: Server):
    begins = {"structured_outputs": {"regex": CALLS}}
    answer = chat(smollm2, tools=[TOOL], **begins, max_tokens=90)
    ((name, arguments),) = tool_calls(answer)
    assert (name, set(arguments), finish(answer)) == ("weather", {"city", "unit"}, "tool_calls")
    assert tool_calls(chat(smollm2, tools=[TOOL], tool_choice="none")) == []


def test_reasoning_is_told_apart_and_a_form_holds_after_it(smollm2: Server):
    begun = [*QUESTION, {"role": "assistant", "content": "<think>\nLet"}]
    thinks = {"continue_final_message": True, "add_generation_prompt": False, "thinking_token_budget": 8}
    answer = chat(smollm2, messages=begun, structured_outputs={"regex": "[0-9]{3}"}, chat_template_kwargs={}, **thinks)
    assert said(answer, "reasoning") == said(answer, "reasoning_content") != ""
    assert re.fullmatch("[0-9]{3}", said(answer, "content"))


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"max_tokens": 100_000}, "context_length_exceeded", "max_tokens"),
        ({"max_tokens": 2040}, "context_length_exceeded", "max_tokens"),
        ({"chat_template": "{{ 1 }}"}, "invalid_request", "chat_template"),
        ({"synthetic_fault": {"kind": "crash"}}, "invalid_request", "synthetic_fault"),
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context_length_exceeded", "messages"),
        ({"temperature": -1}, "invalid_request", "temperature"),
        ({"messages": 3}, "invalid_request", None),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_request", "messages"),
        ({"top_p": 7}, "invalid_request", "top_p"),
        ({"n": 0}, "invalid_request", "n"),
        ({"prompt_embeds": "AAAA"}, "invalid_request", "prompt_embeds"),
        ({"vllm_xargs": {"inferno_accepted": [1]}}, "invalid_request", "vllm_xargs"),
        ({"structured_outputs": {"regex": "(("}}, "invalid_request", "structured_outputs"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no"}}}},
            "invalid_request",
            "response_format",
        ),
    ],
)
def test_a_refusal_comes_before_a_word_in_the_fixed_vocabulary(
    smollm2: Server, body: dict[str, Any], code: str, param: str | None
):
    answer = chat(smollm2, **body)
    failure = answer.failure()
    assert (failure["code"], failure["param"]) == (code, param)
    assert "Traceback" not in failure["message"]
    assert answer.choices() == []


def test_a_surface_that_the_model_has_not_is_refused(smollm2: Server):
    answer = ask(smollm2.address, NAME, openai_surface="embedding", openai_body='{"input": "x"}')
    assert answer.failure()["param"] == "model"


def test_the_stock_contract_on_a_real_model(smollm2: Server):
    sampling = json.dumps({"max_tokens": "3", "temperature": 0, "logprobs": 1})
    names = ("logprobs", "num_output_tokens", "cumulative_logprob")
    wanted = {f"return_{name}": True for name in names}
    answer = ask(smollm2.address, NAME, text_input="One two", stream=True, sampling_parameters=sampling, **wanted)
    assert sum(answer.all("num_output_tokens")) == 3
    assert all(json.loads(each) for each in answer.all("logprobs"))
    unknown = json.dumps({"no_such": 1})
    assert "no_such" in ask(smollm2.address, NAME, text_input="x", sampling_parameters=unknown).error


def test_who_hangs_up_frees_the_engine_for_the_most_urgent_who_waits(smollm2: Server):
    """With all 32 slots taken, one that waits gets its first word once another client leaves."""
    body = json.dumps({"prompt": "Once", "max_tokens": 1500, "ignore_eos": True, "seed": 1})
    inputs = {"openai_surface": "completion", "openai_body": body}
    holding = [Stream(smollm2.address, NAME, inputs) for _ in range(32)]
    for stream in holding:
        stream.next(60)
    patient = Stream(smollm2.address, NAME, {**inputs, "priority": 5})
    urgent = Stream(smollm2.address, NAME, {**inputs, "priority": 1})
    # Both have arrived once another, that came after them, was refused.
    assert complete(smollm2, temperature=-1).failure()["param"] == "temperature"
    left = time.monotonic()
    holding.pop().hang_up()
    urgent.next(60)
    # Two engine steps of 32 sequences are most of this.
    assert time.monotonic() - left < 5
    with pytest.raises(queue.Empty):
        patient.next(0.01)
    for stream in [patient, urgent, *holding]:
        stream.hang_up()
    assert chat(smollm2, max_tokens=2).text()


def test_when_the_engine_dies_what_runs_fails_at_once_and_later_calls_too(smollm2: Server):
    stub = smollm2.stubs()[-1]
    body = json.dumps({"prompt": "Once", "max_tokens": 1500, "ignore_eos": True})
    stream = Stream(smollm2.address, NAME, {"openai_surface": "completion", "openai_body": body})
    stream.next(60)
    (core,) = engine_cores(stub)
    died = time.monotonic()
    os.kill(core, signal.SIGKILL)
    values, final = stream.next()
    while not final:
        values, final = stream.next()
    assert time.monotonic() - died < 2
    assert json.loads(values["error"][0])["code"] == "engine_failed"
    stream.close()
    assert chat(smollm2).failure()["code"] in ("engine_failed", "engine_lost", "unavailable")
    reload(smollm2)


def test_a_killed_stub_takes_its_engine_with_it(smollm2: Server):
    stub = smollm2.stubs()[-1]
    engine = [pid for child in children(stub) for pid in (child, *children(child))]
    assert engine
    os.kill(stub, signal.SIGKILL)
    assert ended([stub, *engine], 10)


def engine_cores(stub: int) -> list[int]:
    return [pid for pid in children(stub) if "VLLM" in Path(f"/proc/{pid}/comm").read_text()]


def reload(server: Server) -> None:
    """Start another engine, for whoever comes next."""
    old = server.stubs()
    url = f"http://127.0.0.1:{server.ports.http}/v2/repository/models/{NAME}/unload"
    urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=60).read()
    assert ended(old, 60)
    server.load(NAME)
