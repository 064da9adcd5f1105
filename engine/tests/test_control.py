"""An agent's view of a real Triton."""

import asyncio
import json
import os
import shutil
import signal

import pytest
from serving import Server, Stream

from inferno_engine.control import ControlFailed, NoAnswer, TritonControl

pytestmark = pytest.mark.stack


async def test_a_living_model_proves_itself(synthetic: Server):
    control = TritonControl(synthetic.address)
    assert await control.live()
    assert await control.ready() == {("synthetic", "1")}
    await control.prove("synthetic", "1", "chat", 10)
    await control.ping("synthetic", "1", 10)
    await control.close()


async def test_a_full_engine_answers_the_ping_alone(synthetic: Server):
    control = TritonControl(synthetic.address)
    body = json.dumps({"prompt": "long", "max_tokens": 5000})
    inputs = {"openai_surface": "completion", "openai_body": body}
    holding = [Stream(synthetic.address, "synthetic", inputs) for _ in range(64)]
    for stream in holding:
        await asyncio.to_thread(stream.next)
    with pytest.raises(NoAnswer):
        await control.prove("synthetic", "1", "chat", 1)
    await control.ping("synthetic", "1", 10)
    for stream in holding:
        stream.hang_up()
    await control.close()


async def test_a_killed_stub_is_seen_by_the_canary_though_triton_takes_it_for_ready(own_synthetic: Server):
    control = TritonControl(own_synthetic.address)
    os.kill(own_synthetic.stubs()[0], signal.SIGKILL)
    assert await control.ready() == {("synthetic", "1")}
    with pytest.raises(ControlFailed):
        await control.prove("synthetic", "1", "chat", 10)
    await control.unload("synthetic", 10)
    await control.load("synthetic", 30)
    await control.prove("synthetic", "1", "chat", 10)
    await control.close()


async def test_a_dead_version_is_cleared_beside_one_that_goes_on(own_synthetic: Server):
    control, model = TritonControl(own_synthetic.address), own_synthetic.run_folder / "repository" / "synthetic"
    (first,) = own_synthetic.stubs()
    shutil.copytree(model / "1", model / "2")
    await control.load("synthetic", 30)
    assert await control.ready() == {("synthetic", "1"), ("synthetic", "2")}
    body = json.dumps({"prompt": "long", "max_tokens": 500})
    stream = Stream(own_synthetic.address, "synthetic", {"openai_surface": "completion", "openai_body": body})
    await asyncio.to_thread(stream.next)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ControlFailed):
        await control.prove("synthetic", "1", "chat", 10)
    shutil.rmtree(model / "1")
    await control.load("synthetic", 30)
    assert await control.ready() == {("synthetic", "2")}
    final = False
    while not final:
        _, final = await asyncio.to_thread(stream.next)
    shutil.copytree(model / "2", model / "1")
    await control.load("synthetic", 30)
    await control.prove("synthetic", "1", "chat", 10)
    await control.prove("synthetic", "2", "chat", 10)
    stream.close()
    await control.close()


async def test_a_load_that_fails_gives_its_cause_in_a_sentence(synthetic: Server):
    broken = synthetic.run_folder / "repository" / "broken"
    (broken / "1").mkdir(parents=True)
    (broken / "config.pbtxt").write_text('backend: "vllm" parameters { key: "engine" value: { string_value: "none" } }')
    (broken / "1" / "model.json").write_text("{}")
    control = TritonControl(synthetic.address)
    with pytest.raises(ControlFailed) as failed:
        await control.load("broken", 30)
    assert "must be vllm or synthetic" in str(failed.value)
    assert "/" not in str(failed.value)
    await control.close()


async def test_a_triton_that_is_away_does_not_live():
    control = TritonControl("127.0.0.1:1")
    assert not await control.live()
    with pytest.raises(ControlFailed):
        await control.ready()
    await control.close()
