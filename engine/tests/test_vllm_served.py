"""The small real model on vLLM in Triton, as its agent loads it."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lora_adapter
import msgspec
import pytest
from serving import ROOT, Answer, Server, Stream, ask, children, ended, serve
from serving import chat as ask_chat
from session_client import Heard, Session

from inferno_core.session import Piece
from inferno_engine import desired, environment, layout, triton, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

NAME = "smollm2"
ADAPTERS = ("poet", "painter", "sailor")
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
    model = desired.smollm2(ROOT, weights.ensure_smollm2(ROOT, made), default=True)
    source = with_adapters(Path(model.source), tmp_path_factory.mktemp("source") / NAME)
    verified = layout.verify(msgspec.structs.replace(model, source=str(source)))
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


def with_adapters(source: Path, folder: Path) -> Path:
    """Copy a model's folder, so that its version has LoRA adapters, of which a step holds two at most."""
    version = shutil.copytree(source, folder) / "1"
    file = version / "model.json"
    arguments: dict[str, Any] = {"enable_lora": True, "max_lora_rank": 8, "max_loras": 2}
    # Two threads wait for each other at every product where the tests share their cores with anything else.
    arguments["environment"] = {"OMP_NUM_THREADS": "1"}
    file.write_text(json.dumps(json.loads(file.read_text()) | arguments))
    for seed, name in enumerate(ADAPTERS):
        lora_adapter.make(version / "adapters" / name, lora_adapter.SMOLLM2, seed)
    (version / "multi_lora.json").write_text(json.dumps({name: f"adapters/{name}" for name in ADAPTERS}))
    return folder


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


def stock(server: Server, **sampling: Any) -> Answer:
    """Ask as a client of Triton's own vLLM backend does."""
    parameters = json.dumps({"temperature": "0", "max_tokens": 12, **sampling})
    return ask(
        server.address, NAME, text_input="One, two,", exclude_input_in_output=True, sampling_parameters=parameters
    )


def test_adapters_are_picked_by_name_in_both_contracts(smollm2: Server):
    """Each has its own words, whoever runs beside it; the model without one says what it says without adapters."""
    said = {name: complete(smollm2, max_tokens=12, lora_name=name).text() for name in (None, *ADAPTERS)}
    assert len(set(said.values())) == 1 + len(ADAPTERS)
    for name in (None, *ADAPTERS):
        (text,) = stock(smollm2, **({"lora_name": name} if name else {})).all("text_output")
        assert text.decode() == said[name]
    body = {"prompt": "One, two,", "max_tokens": 12, "temperature": 0}
    inputs = [
        {"openai_surface": "completion", "openai_body": json.dumps({**body, "lora_name": name})}
        for name in (None, *ADAPTERS) * 2
    ]
    streams = [Stream(smollm2.address, NAME, each) for each in inputs]
    assert [whole(stream).text() for stream in streams] == [*said.values()] * 2
    assert chat(smollm2, seed=1).text() == "The capital of France is Paris."
    assert chat(smollm2, seed=1, lora_name="poet").text() != "The capital of France is Paris."


def whole(stream: Stream) -> Answer:
    """Read a stream to its end."""
    answer = Answer()
    while not answer.finals:
        values, final = stream.next(60)
        answer.responses.append(values)
        answer.finals += final
    stream.close()
    return answer


def test_an_adapter_that_is_not_there_is_refused_in_the_words_of_the_stock_backend(smollm2: Server):
    words = "LoRA bactrian is not supported, we currently support ['poet', 'painter', 'sailor']"
    failure = complete(smollm2, lora_name="bactrian").failure()
    assert failure == {"code": "invalid_request", "param": "lora_name", "message": words}
    assert stock(smollm2, lora_name="bactrian").error == words


def test_adapters_are_added_to_their_rows_alone():
    made = environment.ensure_vllm_environment(ROOT)
    script = Path(__file__).parent / "adapted_rows.py"
    ran = subprocess.run([made.python, str(script)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# By its name, with the adapter or as it is: bodies of generations that are long enough to be cut.
CUT = {
    "greedy": {},
    "greedy, poet": {"lora_name": "poet"},
    "seeded": {"temperature": 1, "seed": 5},
    "seeded, poet": {"temperature": 1, "seed": 5, "lora_name": "poet"},
}


@pytest.fixture(scope="module")
def undisturbed(smollm2: Server) -> dict[str, Heard]:
    """What those generations say, at once in one session."""
    session = Session(smollm2.address, "undisturbed", model=NAME)
    said = run(session, bodies())
    session.close()
    assert all(said[name].tokens() != said[f"{name}, poet"].tokens() for name in ("greedy", "seeded"))
    return said


def test_a_generation_goes_on_with_its_adapter_from_its_tokens(smollm2: Server, undisturbed: dict[str, Heard]):
    session = Session(smollm2.address, "goes on", model=NAME)
    for name, whole in undisturbed.items():
        told = whole.frames[: len(whole.frames) // 2]
        accepted = tuple(Piece(choice, tuple(tokens)) for choice, tokens, _, _ in told)
        rest = run(session, {f"{name}, again": bodies()[name]}, accepted=accepted)[f"{name}, again"]
        assert same(Heard([*told, *rest.frames]), whole)
    session.close()


def test_a_generation_keeps_its_adapter_when_another_session_adopts_it(smollm2: Server, undisturbed: dict[str, Heard]):
    first = Session(smollm2.address, "first", model=NAME)
    handles = first.submits(bodies())
    first.until(lambda: all(first.heard[handle].frames for handle in handles))
    first.close()
    begun = {name: first.heard[handle] for name, handle in zip(CUT, handles, strict=True)}
    second = Session(smollm2.address, "second", model=NAME)
    adopted = second.adopts(begun, "q/first")
    second.until_ended(adopted)
    second.close()
    for (name, told), handle in zip(begun.items(), adopted, strict=True):
        rest = second.heard[handle]
        assert rest.adopted
        assert rest.frames
        assert same(Heard([*told.frames, *rest.frames]), undisturbed[name])


def bodies() -> dict[str, bytes]:
    shared = {"messages": QUESTION, "max_tokens": 48, "ignore_eos": True, **SPEAKS}
    return {name: json.dumps(shared | body).encode() for name, body in CUT.items()}


def run(session: Session, bodies: dict[str, bytes], **more: Any) -> dict[str, Heard]:
    """Have generations in a session, to their ends."""
    handles = session.submits(bodies, **more)
    session.until_ended(handles)
    return {name: session.heard[handle] for name, handle in zip(bodies, handles, strict=True)}


def same(one: Heard, other: Heard) -> bool:
    return (one.tokens(), one.text()) == (other.tokens(), other.text())


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
