import asyncio
import time
from pathlib import Path

import psutil
import pytest
from serving import Server

from inferno_engine import triton
from inferno_engine.processes import Processes, ended


@pytest.mark.stack
def test_a_triton_and_its_stubs_are_known_by_their_repository(synthetic: Server, tmp_path: Path):
    processes = Processes(triton.repository(synthetic.run_folder))
    server = processes.server()
    assert server is not None
    assert server.pid == synthetic.process.pid
    assert [stub.pid for stub in processes.stubs("synthetic", "1")] == synthetic.stubs()
    assert processes.stubs("synthetic", "2") == []
    assert processes.stubs("other", "1") == []
    assert Processes(tmp_path).server() is None
    assert Processes(tmp_path / "none").stubs("synthetic", "1") == []


@pytest.mark.stack
def test_one_that_is_young_or_elsewhere_is_not_killed(synthetic: Server, tmp_path: Path):
    processes = Processes(triton.repository(synthetic.run_folder))
    assert not processes.kill_server(older_than_s=3600, now=time.time())
    assert not Processes(tmp_path).kill_server(older_than_s=0, now=time.time())
    assert synthetic.process.poll() is None


async def test_the_end_of_a_process_is_told(tmp_path: Path):
    child = await asyncio.create_subprocess_exec("sleep", "100")
    process = psutil.Process(child.pid)
    waiting = asyncio.create_task(ended(process))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    Processes(tmp_path).kill([process])
    await asyncio.wait_for(waiting, 5)
    await child.wait()
    await asyncio.wait_for(ended(process), 5)
    Processes(tmp_path).kill([process])
