import asyncio
import os
import sys
from pathlib import Path

import psutil

from inferno_engine.measuring.processes import free_ports, started

# Starts a child of its own, says so, and waits for what never comes.
PARENT = """
import subprocess, sys
child = subprocess.Popen(["sleep", "1000"])
print(child.pid, flush=True)
child.wait()
"""


async def test_all_that_was_started_is_gone_on_leaving(tmp_path: Path):
    async with started("parent", [sys.executable, "-c", PARENT], {}, tmp_path, spoken=True) as process:
        child = int(await process.stdout.readline())
        assert psutil.pid_exists(child)
        assert process.cpu_s() > 0
    assert process.ended
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


async def test_a_paused_process_stands_still(tmp_path: Path):
    async with started("parent", [sys.executable, "-c", PARENT], {}, tmp_path, spoken=True) as process:
        (pid,) = (child.pid for child in psutil.Process(int(await process.stdout.readline())).parents()[:1])
        process.pause(True)
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        process.pause(False)
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WCONTINUED | os.WNOWAIT)


async def test_what_it_last_said_explains_its_end(tmp_path: Path):
    code = "import sys; print('Out of memory.', file=sys.stderr)"
    async with started("engine", [sys.executable, "-c", code], {}, tmp_path, spoken=True) as process:
        assert await process.stdout.read() == b""
        assert "engine ended by itself. It said: Out of memory." in process.failure().message


async def test_a_command_that_is_not_there_is_said(tmp_path: Path):
    async with started("engine", [str(tmp_path / "none")], {}, tmp_path, spoken=True) as process:
        await process.stdout.read()
        assert "none" in process.failure().message


def test_free_ports_differ():
    assert len(set(free_ports(3))) == 3
