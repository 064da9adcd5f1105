import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import ClassVar

import lora_adapter
import msgspec
import psutil
import pytest
from presence import Notices, in_state

from inferno_core.hosts import Host, ModelState
from inferno_engine import agent, desired
from inferno_engine.agent import Agent, Post
from inferno_engine.control import NoAnswer
from inferno_engine.desired import DesiredModel
from inferno_engine.fake import FakeControl
from inferno_engine.place import Pace
from inferno_engine.processes import Processes, ended

PACE = Pace(canary_every_s=0.02, heartbeat_every_s=0.02, first_pause_s=0.01, unload_timeout_s=0.2)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    source = tmp_path / "source"
    (source / "1").mkdir(parents=True)
    (source / "config.pbtxt").write_text('backend: "vllm"')
    (source / "1" / "model.json").write_text('{"max_model_len": 100, "max_num_seqs": 4}')
    desired.write(tmp_path / "desired.json", [DesiredModel("small", "1", str(source), default=True)])
    return Post("triton-0", "g", "h", tmp_path / "repository", tmp_path / "desired.json", tmp_path / "state")


@pytest.fixture
async def control(post: Post) -> FakeControl:
    return FakeControl(post.repository)


@pytest.fixture
async def notices(post: Post, control: FakeControl) -> AsyncIterator[Notices]:
    notices = Notices()
    task = asyncio.create_task(Agent(post, control, notices.publish, PACE).run())
    yield notices
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_desired_is_loaded_and_told(notices: Notices):
    host = await notices.until(in_state(ModelState.READY))
    (model,) = host.models
    assert (model.name, model.context, model.slots, model.default) == ("small", 100, 4, True)
    assert model.fingerprint.startswith("small-")
    assert model.expected_s >= 0
    assert host.incarnation


async def test_adapters_are_told(post: Post, control: FakeControl):
    version = post.desired.parent / "source" / "1"
    lora_adapter.make(version / "poet", lora_adapter.Shape(1, 8, 8, 4), seed=1)
    (version / "model.json").write_text('{"enable_lora": true}')
    (version / "multi_lora.json").write_text('{"poet": "poet"}')
    notices = Notices()
    task = asyncio.create_task(Agent(post, control, notices.publish, PACE).run())
    host = await notices.until(in_state(ModelState.READY))
    assert host.models[0].adapters == ("poet",)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_loading_is_told_with_what_to_expect(post: Post, control: FakeControl):
    control.gate.clear()
    notices = Notices()
    task = asyncio.create_task(Agent(post, control, notices.publish, PACE).run())
    host = await notices.until(in_state(ModelState.LOADING))
    assert host.models[0].expected_s > 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_failed_load_is_told_and_tried_again(notices: Notices, control: FakeControl):
    await notices.until(in_state(ModelState.READY))
    control.failures = ["RuntimeError: no memory."]
    control.mute.add(("small", "1"))
    failed = await notices.until(in_state(ModelState.FAILED))
    assert failed.models[0].detail
    await notices.until(in_state(ModelState.READY))
    assert control.loads.count("small") >= 2


async def test_a_dead_stub_is_found_by_the_canary_and_reloaded(notices: Notices, control: FakeControl):
    await notices.until(in_state(ModelState.READY))
    control.mute.add(("small", "1"))
    await notices.until(in_state(ModelState.FAILED))
    await notices.until(in_state(ModelState.READY))
    assert control.unloads == ["small"]


async def test_one_that_is_only_busy_is_left_alone(notices: Notices, control: FakeControl):
    await notices.until(in_state(ModelState.READY))
    control.busy.add("small")
    before = control.pings
    for _ in range(3):
        notices.last = None
        await notices.until(in_state(ModelState.READY))
    assert control.pings > before
    assert control.unloads == []


async def test_a_triton_that_began_anew_is_loaded_again_as_another_life(notices: Notices, control: FakeControl):
    before = (await notices.until(in_state(ModelState.READY))).models[0].life
    assert before
    control.restart()
    await notices.until(lambda host: in_state(ModelState.READY)(host) and host.models[0].life != before)


async def test_what_is_no_longer_desired_is_unloaded(notices: Notices, control: FakeControl, post: Post):
    await notices.until(in_state(ModelState.READY))
    desired.write(post.desired, [])
    await notices.until(lambda host: host.models == ())
    assert control.served == set()
    assert not (post.repository / "small").exists()


async def test_one_that_retires_is_told_until_its_last_words_are_said(
    notices: Notices, control: FakeControl, post: Post
):
    await notices.until(in_state(ModelState.READY))
    control.draining.add("small")
    desired.write(post.desired, [])
    await notices.until(in_state(ModelState.RETIRING))
    assert control.unloads == ["small"]
    control.draining.clear()
    await notices.until(lambda host: host.models == ())


async def test_an_unload_that_hangs_holds_up_nobody(notices: Notices, control: FakeControl, post: Post):
    await notices.until(in_state(ModelState.READY))
    control.unloading.clear()
    (model,) = desired.read(post.desired)
    other = msgspec.structs.replace(model, name="other")
    desired.write(post.desired, [other])
    states = {"small": ModelState.RETIRING, "other": ModelState.READY}
    await notices.until(lambda host: {model.name: model.state for model in host.models} == states)
    control.unloading.set()
    await notices.until(lambda host: [model.name for model in host.models] == ["other"])


async def test_another_default_leaves_what_serves_alone(notices: Notices, control: FakeControl, post: Post):
    before = await notices.until(in_state(ModelState.READY))
    (model,) = desired.read(post.desired)
    desired.write(post.desired, [msgspec.structs.replace(model, default=False)])
    after = await notices.until(lambda host: not host.models[0].default)
    assert (after.models[0].state, after.models[0].life) == (ModelState.READY, before.models[0].life)
    assert control.loads == ["small"]


async def test_an_embedding_model_is_asked_for_an_embedding(notices: Notices, control: FakeControl, post: Post):
    (model,) = desired.read(post.desired)
    desired.write(post.desired, [msgspec.structs.replace(model, name="vectors", tasks=("embedding",))])
    host = await notices.until(
        lambda host: [model.name for model in host.models if in_state(ModelState.READY)(host)] == ["vectors"]
    )
    assert host.models[0].tasks == ("embedding",)
    assert control.tasks[-1] == "embedding"


async def test_a_connection_that_breaks_is_no_failed_load(post: Post):
    """Triton goes on loading, and a second call waits for that."""

    class Breaking(FakeControl):
        async def load(self, name: str, timeout_s: float) -> None:
            if not self.loads:
                self.loads.append("broke")
                raise NoAnswer("The connection broke.")
            await super().load(name, timeout_s)

    control, notices, seen = Breaking(post.repository), Notices(), list[ModelState]()

    async def publish(host: Host) -> None:
        seen.extend(model.state for model in host.models)
        await notices.publish(host)

    task = asyncio.create_task(Agent(post, control, publish, PACE).run())
    await notices.until(in_state(ModelState.READY))
    assert ModelState.FAILED not in seen
    assert control.loads == ["broke", "small"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_load_past_its_deadline_is_given_up_and_others_go_on(post: Post, control: FakeControl):
    control.gate.clear()
    pace = dataclasses.replace(PACE, load_timeout_s=0.05)
    notices = Notices()
    task = asyncio.create_task(Agent(post, control, notices.publish, pace).run())
    failed = await notices.until(in_state(ModelState.FAILED))
    assert "not loaded within" in failed.models[0].detail
    control.gate.set()
    await notices.until(in_state(ModelState.READY))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_machine_is_told(notices: Notices):
    host = await notices.until(in_state(ModelState.READY))
    assert host.cores >= 1
    assert host.memory_bytes >= host.memory_available_bytes > 0


async def test_what_an_earlier_life_left_is_not_loaded(notices: Notices, control: FakeControl, post: Post):
    await notices.until(in_state(ModelState.READY))
    left = post.repository / "small" / "7"
    shutil.copytree(post.repository / "small" / "1", left)
    control.alive = False
    await notices.until(lambda host: host.models == ())
    control.restart()
    control.alive = True
    await notices.until(in_state(ModelState.READY))
    assert not left.exists()
    assert control.served == {("small", "1")}


async def test_other_arguments_load_the_version_again(notices: Notices, control: FakeControl, post: Post):
    first = await notices.until(in_state(ModelState.READY))
    (model,) = desired.read(post.desired)
    desired.write(post.desired, [msgspec.structs.replace(model, arguments=(("max_num_seqs", 9),))])
    await notices.until(lambda host: bool(host.models) and host.models[0].slots == 9)
    second = await notices.until(in_state(ModelState.READY))
    assert second.models[0].fingerprint != first.models[0].fingerprint
    assert control.loads == ["small", "small"]


async def test_a_broken_desired_file_takes_nothing_down(notices: Notices, control: FakeControl, post: Post):
    await notices.until(in_state(ModelState.READY))
    post.desired.write_text("{")
    for _ in range(3):
        notices.last = None
        await notices.until(in_state(ModelState.READY))


async def test_a_new_agent_finds_what_serves_already_and_tells_of_no_other_life(
    notices: Notices, control: FakeControl, post: Post
):
    first = await notices.until(in_state(ModelState.READY))
    again, told = Notices(), list[Host]()

    async def publish(host: Host) -> None:
        told.append(host)
        await again.publish(host)

    # It has a lot to look at before it can say anything.
    control.alive = False
    task = asyncio.create_task(Agent(post, control, publish, PACE).run())
    await asyncio.wait([task], timeout=0.05)
    control.alive = True
    await again.until(lambda host: in_state(ModelState.READY)(host) and host.models[0].slots > 0)
    # Workers take another name for another life, and "" for none that could be told.
    assert {host.incarnation for host in told} == {first.incarnation}
    assert {model.life for host in told for model in host.models} <= {"", first.models[0].life}
    assert {len(host.models) for host in told} == {1}
    assert control.loads == ["small"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Stubs(Processes):
    """Processes that say nothing, one more with each load."""

    running: ClassVar[list[psutil.Process]] = []

    def stubs(self, name: str, version: str) -> list[psutil.Process]:
        return [stub for stub in self.running if stub.status() != psutil.STATUS_ZOMBIE]


class Stubborn(FakeControl):
    """The processes of what it serves never end by themselves."""

    async def load(self, name: str, timeout_s: float) -> None:
        await super().load(name, timeout_s)
        Stubs.running.append(psutil.Popen(["sleep", "100"]))


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[psutil.Process]]:
    monkeypatch.setattr(agent, "Processes", Stubs)
    monkeypatch.setattr(Stubs, "running", [])
    yield Stubs.running
    for stub in Stubs.running:
        stub.kill()
        stub.wait()


async def test_an_engine_of_other_files_gives_way_in_time(post: Post, stubs: list[psutil.Process]):
    control, notices = Stubborn(post.repository), Notices()
    pace = dataclasses.replace(PACE, drain_s=0.05)
    task = asyncio.create_task(Agent(post, control, notices.publish, pace).run())
    before = await notices.until(in_state(ModelState.READY))
    (model,) = desired.read(post.desired)
    desired.write(post.desired, [msgspec.structs.replace(model, arguments=(("max_num_seqs", 9),))])
    after = await notices.until(lambda host: in_state(ModelState.READY)(host) and host.models[0].slots == 9)
    await asyncio.wait_for(ended(stubs[0]), 5)
    assert stubs[1].status() != psutil.STATUS_ZOMBIE
    assert after.models[0].life != before.models[0].life
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_described_otherwise_but_loaded_the_same_stays_up(post: Post, stubs: list[psutil.Process]):
    control, notices = Stubborn(post.repository), Notices()
    pace = dataclasses.replace(PACE, drain_s=0.05)
    task = asyncio.create_task(Agent(post, control, notices.publish, pace).run())
    before = await notices.until(in_state(ModelState.READY))
    (model,) = desired.read(post.desired)
    desired.write(post.desired, [msgspec.structs.replace(model, tasks=("completion",))])
    after = await notices.until(lambda host: in_state(ModelState.READY)(host) and host.models[0].tasks != model.tasks)
    assert not (await asyncio.wait([asyncio.create_task(ended(stubs[0]))], timeout=0.2))[0]
    assert after.models[0].life == before.models[0].life
    assert control.loads == ["small"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("version", ["../../source", "", "."])
async def test_a_version_whose_name_leads_elsewhere_takes_nothing_with_it(
    notices: Notices, control: FakeControl, post: Post, version: str
):
    await notices.until(in_state(ModelState.READY))
    (first,) = desired.read(post.desired)
    odd = msgspec.structs.replace(first, version=version)
    desired.write(post.desired, [first, odd])
    await notices.until(lambda host: [model.state for model in host.models] == [ModelState.READY, ModelState.FAILED])
    desired.write(post.desired, [first])
    await notices.until(in_state(ModelState.READY))
    assert (Path(first.source) / "1" / "model.json").exists()
    assert (post.repository / "small" / "1" / "model.json").exists()
    assert (control.served, control.unloads, control.loads) == ({("small", "1")}, [], ["small"])


@pytest.mark.parametrize(
    ("model_json", "state"),
    [
        (b'{"max_model_len": null}', ModelState.READY),
        (b'{"max_num_seqs": "many"}', ModelState.FAILED),
        (b"\xff", ModelState.FAILED),
    ],
)
async def test_a_version_of_odd_files_ends_no_agent(
    notices: Notices, control: FakeControl, post: Post, model_json: bytes, state: ModelState
):
    await notices.until(in_state(ModelState.READY))
    (first,) = desired.read(post.desired)
    (Path(first.source) / "2").mkdir()
    (Path(first.source) / "2" / "model.json").write_bytes(model_json)
    desired.write(post.desired, [first, msgspec.structs.replace(first, version="2", default=False)])
    await notices.until(lambda host: [model.state for model in host.models] == [ModelState.READY, state])
    assert ("small", "1") in control.served


async def test_a_dead_version_takes_no_other_with_it(notices: Notices, control: FakeControl, post: Post):
    await notices.until(in_state(ModelState.READY))
    (first,) = desired.read(post.desired)
    shutil.copytree(Path(first.source) / "1", Path(first.source) / "2")
    desired.write(post.desired, [first, msgspec.structs.replace(first, version="2", default=False)])
    await notices.until(lambda host: [model.state for model in host.models] == [ModelState.READY] * 2)
    control.mute.add(("small", "2"))
    await notices.until(lambda host: host.models[1].state is ModelState.FAILED)
    assert ("small", "1") in control.served
    host = await notices.until(lambda host: host.models[1].state is ModelState.READY)
    assert host.models[0].state is ModelState.READY
    assert control.unloads == []


async def test_what_the_disk_refuses_is_told_and_tried_again(post: Post, control: FakeControl):
    post.repository.write_text("No folder can be made here.")
    notices = Notices()
    task = asyncio.create_task(Agent(post, control, notices.publish, PACE).run())
    failed = await notices.until(in_state(ModelState.FAILED))
    assert "repository" in failed.models[0].detail
    post.repository.unlink()
    await notices.until(in_state(ModelState.READY))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_nobody_foresaw_fails_the_version_alone(post: Post, caplog: pytest.LogCaptureFixture):
    class Broken(FakeControl):
        async def load(self, name: str, timeout_s: float) -> None:
            if name == "odd":
                raise RuntimeError("Nobody expects this.")
            await super().load(name, timeout_s)

    (model,) = desired.read(post.desired)
    desired.write(post.desired, [model, msgspec.structs.replace(model, name="odd", default=False)])
    notices = Notices()
    task = asyncio.create_task(Agent(post, Broken(post.repository), notices.publish, PACE).run())
    host = await notices.until(lambda host: [model.state for model in host.models] == ["ready", "failed"])
    assert "Nobody expects this" in host.models[1].detail
    assert any(record.exc_info for record in caplog.records)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
