"""The supervisor over real servers: it repairs, reconciles, and leaves nothing behind."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from inferno_core.errors import Unavailable
from inferno_local.report import Wanted

pytestmark = pytest.mark.stack
Make = Callable[..., Any]


def test_a_life(make_stack: Make) -> None:
    stack = make_stack()
    supervisor = stack.start()
    report = stack.up()
    names = [process.name for process in report.processes]
    assert names == ["kafka", "postgres", "redis", "migrate", "triton-0", "api-0"]
    running = [process for process in report.processes if not process.task]
    assert {psutil.Process(process.pid).ppid() for process in running} == {supervisor.pid}
    weighed = stack.client.status(memory=True).processes
    assert all(process.rss_bytes > 1 << 20 for process in weighed if not process.task)
    assert report.endpoints["kafka"].startswith("127.0.0.1:")

    # A second `up` changes nothing.
    again, changed = stack.client.apply(Wanted())
    assert not changed
    assert [process.pid for process in again.processes if not process.task] == [each.pid for each in running]

    # Other numbers start and stop only what differs.
    stack.up(Wanted(api=2))
    assert stack.process("api-0").pid == running[-1].pid
    urls = stack.report().api_urls
    stack.up(Wanted(api=1))
    assert "api-1" not in [process.name for process in stack.report().processes]
    assert stack.up(Wanted(api=2)).api_urls == urls

    # What dies comes back, with its cause, and its orphans go.
    engine = stack.process("triton-0").pid
    orphan = psutil.Process(engine).children()[0]
    os.kill(engine, signal.SIGKILL)
    stack.until(lambda: stack.process("triton-0").restarts == 1 and stack.is_ready(), "the engine's return")
    assert stack.process("triton-0").cause == "was killed by SIGKILL"
    assert not orphan.is_running()
    for name in ("kafka", "postgres", "redis"):
        os.kill(stack.process(name).pid, signal.SIGKILL)
        stack.until(lambda name=name: stack.process(name).restarts == 1 and stack.is_ready(), f"{name}'s return")

    stack.client.restart("redis")
    assert stack.process("redis").restarts == 2
    with pytest.raises(Unavailable, match="There are: kafka, postgres"):
        stack.client.restart("teapot")

    # Nothing is left of a killed supervisor, and the next one goes on with the same data and addresses.
    supervisor.kill()
    supervisor.wait()
    stack.until(lambda: stack.living() == [], "the end of all children")
    secrets = stack.home.secrets.read_text()
    stack.start()
    assert stack.up(Wanted(api=2)).api_urls == urls
    assert stack.home.secrets.read_text() == secrets
    assert stack.home.credentials.stat().st_mode & 0o777 == 0o600

    assert stack.client.down()
    assert stack.living() == []
    assert not stack.client.down()


def test_odd_folders(make_stack: Make, tmp_path: Path) -> None:
    spaced = make_stack(tmp_path / "a b é")
    long = make_stack(tmp_path / ("long-" * 25))
    for stack in (spaced, long):
        stack.start()
        stack.client.apply(Wanted())
    for stack in (spaced, long):
        stack.until(stack.is_ready, "a ready stack")
    assert "?host=" in spaced.report().endpoints["postgres"]
    assert "@127.0.0.1:" in long.report().endpoints["postgres"]
    assert not set(spaced.report().endpoints.values()) & set(long.report().endpoints.values())
