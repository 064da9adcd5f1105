"""An agent on a real Triton: what becomes of version 2 is nothing to version 1, its process and its streams."""

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from presence import Notices, states
from serving import ROOT, Server, Stream, children, serve

from inferno_core.hosts import ModelState
from inferno_engine import desired, environment, triton
from inferno_engine.agent import Agent, Post
from inferno_engine.control import TritonControl
from inferno_engine.desired import DesiredModel
from inferno_engine.place import Pace
from inferno_engine.processes import Processes

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

READY, FAILED, LOADING, RETIRING = ModelState.READY, ModelState.FAILED, ModelState.LOADING, ModelState.RETIRING
PACE = Pace(
    load_timeout_s=60,
    first_pause_s=0.5,
    heartbeat_every_s=0.5,
    heartbeat_timeout_s=2,
    heartbeat_lost_s=4,
    canary_every_s=1,
)
# A step takes 20 ms, and passes through three processes that share their cores with what is being loaded.
LATEST_S = 0.3
# A stub that has less memory than it needs for its packages alone.
STARVED = 'ulimit -v 160000\nexec -a "$0" "$STUB" "$@"'
LONG = {"openai_surface": "completion", "openai_body": json.dumps({"prompt": "long", "max_tokens": 5000})}


class Site:
    """A Triton, its agent, and a model whose versions a test writes."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.source = folder / "source"
        self.desired = folder / "desired.json"
        self.notices = Notices()
        self.models: list[DesiredModel] = []
        self.processes = Processes(triton.repository(server.run_folder))
        self.post = Post(
            host="triton-0",
            grpc=server.address,
            http="",
            repository=triton.repository(server.run_folder),
            desired=self.desired,
            state=folder / "state",
            metrics=f"127.0.0.1:{server.ports.metrics}",
            kills=True,
        )
        shutil.copytree(ROOT / "model_repository" / "synthetic", self.source)
        with (self.source / "config.pbtxt").open("a") as config:
            config.write('parameters { key: "step_deadline_s" value: { string_value: "2" } }\n')

    def want(self, version: str, arguments: dict[str, Any] | None = None, **fields: Any) -> None:
        """Add a version to what is desired."""
        if version != "1":
            (self.source / version).mkdir()
            known = json.loads((self.source / "1" / "model.json").read_text())
            (self.source / version / "model.json").write_text(json.dumps(known | (arguments or {})))
        self.write([*self.models, DesiredModel("synthetic", version, str(self.source), **fields)])

    def want_no_more(self, version: str) -> None:
        self.write([model for model in self.models if model.version != version])

    def write(self, models: list[DesiredModel]) -> None:
        self.models = models
        desired.write(self.desired, models)

    def stub(self, version: str) -> int:
        (process,) = self.processes.stubs("synthetic", version)
        return process.pid

    async def engine_begins(self, version: str) -> int:
        """Wait until a stub has begun with its engine, which it shows by the watcher that it starts before that."""
        async with asyncio.timeout(30):
            while not (found := self.processes.stubs("synthetic", version)) or not children(found[0].pid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[0].pid

    def replace_stub(self, script: str) -> None:
        """From now on this Triton starts `script` as its stubs; `$STUB` is the true one."""
        stub = self.server.run_folder / "backends" / "python" / "triton_python_backend_stub"
        stub.rename(stub.with_name("stub"))
        stub.write_text(f'#!/bin/bash\nSTUB="$(dirname "$0")/stub"\n{script}\n')
        stub.chmod(0o755)


_TICKS = """
import sys, threading, time
over, worst = threading.Event(), 0.0
threading.Thread(target=lambda: (sys.stdin.read(), over.set())).start()
while True:
    begun = time.monotonic()
    if over.wait(0.02):
        break
    worst = max(worst, time.monotonic() - begun)
print(worst)
"""


class Gaps:
    """One stream of version 1, and how long each of its words kept it waiting; beside it a process that does nothing
    but wake up as often, which shows how late the machine itself lets anybody be.
    """

    def __init__(self, server: Server) -> None:
        self._clock = subprocess.Popen(
            [sys.executable, "-c", _TICKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._stream = Stream(server.address, "synthetic", LONG, version="1")
        self._stream.next()
        self._over = threading.Event()
        self.longest_s = 0.0
        self.words = 0
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        last = time.monotonic()
        while not self._over.is_set():
            try:
                _, final = self._stream.next()
            except Exception as error:
                self.error = error
                return
            now = time.monotonic()
            self.longest_s, self.words, last = max(self.longest_s, now - last), self.words + 1, now
            if final:
                self.error = EOFError("The stream came to its end: ask for more words.")
                return

    def close(self) -> None:
        """Hang up, and say how it was."""
        while self.words < 100 and self._thread.is_alive():
            self._thread.join(0.02)
        self._over.set()
        self._thread.join()
        self._stream.hang_up()
        self.machine_s = float(self._clock.communicate()[0])
        print(f"longest gap {self.longest_s:.3f} s over {self.words} words; the machine's {self.machine_s:.3f} s")

    def check(self) -> None:
        """The stream still runs, and no word was later than the machine's load explains."""
        assert self.error is None
        assert self.words >= 100
        assert self.longest_s < LATEST_S + 3 * self.machine_s


@asynccontextmanager
async def agent(site: Site, pace: Pace = PACE) -> AsyncIterator[None]:
    control = TritonControl(site.server.address)
    task = asyncio.create_task(Agent(site.post, control, site.notices.publish, pace).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await control.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serve(environment.ensure_triton_environment(ROOT), tmp_path / "triton-0") as server:
        made = Site(server, tmp_path)
        made.want("1", default=True)
        yield made


@asynccontextmanager
async def version_1_is_left_alone(site: Site) -> AsyncIterator[None]:
    """What happens within must neither end version 1's process nor hold up its streams."""
    await site.notices.until(states(v1=READY), 60)
    process, life, gaps = site.stub("1"), site.notices.version("1").life, Gaps(site.server)
    try:
        yield
    finally:
        gaps.close()
    assert site.stub("1") == process
    assert site.notices.version("1").life == life
    assert site.notices.version("1").state is READY
    gaps.check()


async def test_adding_and_retiring(site: Site):
    async with agent(site), version_1_is_left_alone(site):
        site.want("2", {"step_ms": 5})
        await site.notices.until(states(v1=READY, v2=READY), 60)
        stream = Stream(site.server.address, "synthetic", LONG, version="2")
        await asyncio.to_thread(stream.next)
        await site.notices.until(lambda host: host.models[1].running == 1 and host.models[1].kv_cache_usage > 0, 60)
        retired = site.stub("2")
        site.want_no_more("2")
        await site.notices.until(states(v1=READY, v2=RETIRING))
        # What ran there goes on, until it is over; then the process ends.
        for _ in range(20):
            await asyncio.to_thread(stream.next)
        stream.hang_up()
        await site.notices.until(states(v1=READY), 60)
        assert not psutil.pid_exists(retired) or psutil.Process(retired).status() == psutil.STATUS_ZOMBIE


def _corrupt(site: Site) -> None:
    weights = site.desired.parent / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"corrupt")
    site.want("2", weights=str(weights), digest="0" * 64)


def _bad_arguments(site: Site) -> None:
    site.want("2", {"no_such_argument": 1})


def _no_memory(site: Site) -> None:
    site.replace_stub(STARVED)
    site.want("2")


@pytest.mark.parametrize(
    ("break_it", "said"),
    [(_corrupt, "digest"), (_bad_arguments, "no_such_argument"), (_no_memory, "lack of memory")],
)
async def test_a_version_that_cannot_be_loaded(site: Site, break_it: Callable[[Site], None], said: str):
    async with agent(site), version_1_is_left_alone(site):
        break_it(site)
        failed = await site.notices.until(states(v1=READY, v2=FAILED), 60)
        detail = failed.models[1].detail
        print(detail)
        assert said in detail
        assert "Traceback" not in detail
        assert site.processes.stubs("synthetic", "2") == []


async def test_one_that_the_system_kills_while_it_loads_for_it_takes_too_much_memory(site: Site):
    async with agent(site), version_1_is_left_alone(site):
        site.want("2")
        os.kill(await site.engine_begins("2"), signal.SIGKILL)
        await site.notices.until(states(v1=READY, v2=FAILED), 60)
        await site.notices.until(states(v1=READY, v2=READY), 60)


async def test_one_that_hangs_while_it_loads(site: Site):
    pace = dataclasses.replace(PACE, load_timeout_s=12)
    async with agent(site, pace), version_1_is_left_alone(site):
        site.want("2")
        hung = await site.engine_begins("2")
        os.kill(hung, signal.SIGSTOP)
        failed = await site.notices.until(states(v1=READY, v2=FAILED), 60)
        assert "not loaded within 12 s" in failed.models[1].detail
        await site.notices.until(states(v1=READY, v2=READY), 60)
        assert site.stub("2") != hung


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_version_that_dies_or_hangs_is_back_in_seconds(site: Site, how: signal.Signals):
    async with agent(site), version_1_is_left_alone(site):
        site.want("2")
        before = (await site.notices.until(states(v1=READY, v2=READY), 30)).models[1].life
        begun = time.monotonic()
        os.kill(site.stub("2"), how)
        await site.notices.until(states(v1=READY, v2=FAILED), 60)
        found_s = time.monotonic() - begun
        await site.notices.until(states(v1=READY, v2=READY), 60)
        print(f"found after {found_s:.2f} s, back after {time.monotonic() - begun:.2f} s")
        assert site.notices.version("2").life != before
        assert site.notices.last is not None


@pytest.mark.parametrize("kind", ["crash", "hang"])
async def test_an_engine_that_dies_or_hangs_is_back_in_seconds(site: Site, kind: str):
    """A hung engine is declared dead by its own backend, whose process then ends."""
    async with agent(site), version_1_is_left_alone(site):
        site.want("2", {"faults": True})
        await site.notices.until(states(v1=READY, v2=READY), 60)
        fault = {"kind": kind, "token": 3}
        body = json.dumps({"prompt": "long", "max_tokens": 50, "synthetic_fault": fault})
        inputs = {"openai_surface": "completion", "openai_body": body}
        begun = time.monotonic()
        stream = Stream(site.server.address, "synthetic", inputs, version="2")
        await site.notices.until(states(v1=READY, v2=FAILED), 60)
        print(f"found after {time.monotonic() - begun:.2f} s")
        await site.notices.until(states(v1=READY, v2=READY), 60)
        print(f"back after {time.monotonic() - begun:.2f} s")
        stream.hang_up()


async def test_an_agent_that_is_started_anew_disturbs_nobody(site: Site):
    async with agent(site):
        await site.notices.until(states(v1=READY), 60)
        before = site.notices.last
        gaps = Gaps(site.server)
    site.notices.last = None
    async with agent(site):
        after = await site.notices.until(lambda host: bool(host.models))
        assert (after.models[0].state, after.models[0].life) == (READY, before.models[0].life)
        assert after.incarnation == before.incarnation
        await site.notices.until(lambda host: host.models[0].slots > 0)
    gaps.close()
    gaps.check()


async def test_a_triton_that_cannot_load_what_died_in_it_is_killed(site: Site):
    pace = dataclasses.replace(PACE, young_s=0, first_pause_s=0.1)
    async with agent(site, pace):
        await site.notices.until(states(v1=READY), 60)
        site.replace_stub(STARVED)
        os.kill(site.stub("1"), signal.SIGKILL)
        assert await asyncio.to_thread(site.server.process.wait, 60) == -signal.SIGKILL
        await site.notices.until(lambda host: host.incarnation == "" and host.models == ())


async def test_a_triton_that_hangs_is_killed(site: Site):
    pace = dataclasses.replace(PACE, young_s=0, silence_s=1)
    async with agent(site, pace):
        await site.notices.until(states(v1=READY), 60)
        site.server.process.send_signal(signal.SIGSTOP)
        assert await asyncio.to_thread(site.server.process.wait, 60) == -signal.SIGKILL


async def test_one_that_serves_others_is_not(site: Site):
    """Version 2 dies and can't be loaded again: that is told, and version 1 goes on."""
    pace = dataclasses.replace(PACE, young_s=0, first_pause_s=0.1)
    async with agent(site, pace), version_1_is_left_alone(site):
        site.want("2")
        await site.notices.until(states(v1=READY, v2=READY), 60)
        shutil.rmtree(site.source / "2")
        os.kill(site.stub("2"), signal.SIGKILL)
        await site.notices.until(states(v1=READY, v2=FAILED), 60)
        other = msgspec.structs.replace(site.models[0], name="other")
        site.write([*site.models, other])
        await site.notices.until(lambda host: [m.state for m in host.models] == [READY, FAILED, READY], 60)
