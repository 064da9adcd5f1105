import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from inferno_engine.departures import Departures
from inferno_engine.processes import Processes, ended


@pytest.fixture
async def stub() -> AsyncIterator[psutil.Process]:
    child = await asyncio.create_subprocess_exec("sleep", "100")
    yield psutil.Process(child.pid)
    if child.returncode is None:
        child.kill()
    await child.wait()


async def test_one_that_does_not_end_by_itself_is_killed(stub: psutil.Process, tmp_path: Path):
    departures = Departures(Processes(tmp_path), drain_s=0.05)
    departures.add([stub])
    departures.add([stub])
    assert len(departures) == 1
    await asyncio.wait_for(ended(stub), 5)


async def test_one_that_ends_is_forgotten(stub: psutil.Process, tmp_path: Path):
    departures = Departures(Processes(tmp_path), drain_s=60)
    departures.add([stub])
    stub.kill()
    async with asyncio.timeout(5):
        while departures:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0)


async def test_dismissed_it_kills_nobody(stub: psutil.Process, tmp_path: Path):
    departures = Departures(Processes(tmp_path), drain_s=0.05)
    departures.add([stub])
    await departures.dismiss()
    assert not departures
    waiting = asyncio.create_task(ended(stub))
    assert not (await asyncio.wait([waiting], timeout=0.1))[0]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
