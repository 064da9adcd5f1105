"""A neighbour's grammar that takes long to compile, and a core that hangs: on vLLM in Triton, with the real model."""

import json
import os
import queue
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from serving import ROOT, Server, Stream, chat, children, ended, serve
from session_client import Session

from inferno_engine import desired, environment, layout, triton, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

NAME = "smollm2"
DEADLINE_S = 10
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
LONG: dict[str, Any] = {"messages": QUESTION, "max_tokens": 1500, "ignore_eos": True}
# As much as is taken: half a minute of CPU, and more on a larger vocabulary.
DEAR = {
    "type": "object",
    "properties": {f"p{number}": {"type": "string", "maxLength": 500 + number} for number in range(16)},
    "required": ["p0"],
}


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = environment.ensure_vllm_environment(ROOT)
    model = desired.smollm2(ROOT, weights.ensure_smollm2(ROOT, made), default=True)
    source = shutil.copytree(model.source, tmp_path_factory.mktemp("source") / NAME)
    with (source / "config.pbtxt").open("a") as config:
        config.write(f'parameters {{ key: "step_deadline_s" value: {{ string_value: "{DEADLINE_S}" }} }}\n')
    folder = tmp_path_factory.mktemp("triton")
    layout.lay_out(layout.verify(msgspec.structs.replace(model, source=str(source))), triton.repository(folder))
    with serve(made, folder) as server:
        server.load(NAME)
        yield server


def cores(server: Server) -> list[int]:
    stub = server.stubs()[-1]
    return [pid for pid in children(stub) if "VLLM" in Path(f"/proc/{pid}/comm").read_text()]


def niceness(pid: int) -> set[int]:
    """How much each thread of a process steps back."""
    return {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}


def test_a_grammar_that_takes_long_holds_up_neither_words_nor_other_grammars(smollm2: Server):
    neighbour = Stream(smollm2.address, NAME, {"openai_body": json.dumps(LONG)})
    neighbour.next(60)
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": DEAR}}
    dear = Stream(smollm2.address, NAME, {"openai_body": json.dumps({**LONG, "response_format": form})})
    begun = time.monotonic()
    answer = chat(smollm2.address, NAME, messages=QUESTION, structured_outputs={"regex": "[0-9]{3}"}, max_tokens=8)
    print(f"another grammar after {time.monotonic() - begun:.1f} s")
    assert len(answer.text()) == 3
    longest_s = 0.0
    for _ in range(30):
        last = time.monotonic()
        neighbour.next(60)
        longest_s = max(longest_s, time.monotonic() - last)
    print(f"longest gap of a neighbour {longest_s:.2f} s")
    assert longest_s < 5
    with pytest.raises(queue.Empty):
        dear.next(0.01)
    assert {0, 19} <= niceness(cores(smollm2)[0])
    neighbour.hang_up()
    dear.hang_up()


def test_a_schema_that_repeats_too_often_is_refused(smollm2: Server):
    schema = {"type": "array", "maxItems": 1_000_000, "items": {"type": "string"}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    failure = chat(smollm2.address, NAME, messages=QUESTION, response_format=form).failure()
    assert (failure["code"], failure["param"]) == ("invalid_request", "response_format")
    assert "maxItems" in failure["message"]


def test_a_core_that_hangs_is_declared_dead_and_its_processes_end(smollm2: Server):
    """Sessions are told what a worker goes on from elsewhere; an agent loads the model again when its stub has gone."""
    session = Session(smollm2.address, "hanging", model=NAME)
    (handle,) = session.submits({"g": json.dumps(LONG).encode()})
    session.until(lambda: len(session.heard[handle].frames) > 3, 60)
    alone = Stream(smollm2.address, NAME, {"openai_body": json.dumps(LONG)})
    alone.next(60)
    stub, (core,) = smollm2.stubs()[-1], cores(smollm2)
    os.kill(core, signal.SIGSTOP)
    stopped = time.monotonic()
    session.until(lambda: session.heard[handle].ended, 60)
    print(f"found after {time.monotonic() - stopped:.1f} s")
    failure = session.heard[handle].failure
    assert failure is not None
    assert failure.code == "engine_lost"
    assert DEADLINE_S - 1 < time.monotonic() - stopped < 3 * DEADLINE_S
    values, final = alone.next(60)
    while not final:
        values, final = alone.next(60)
    assert json.loads(values["error"][0])["code"] == "engine_lost"
    assert ended([stub, core], 30)
    session.close()
    alone.close()
