import asyncio
import ctypes
import os
import select
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inferno_core.errors import Unavailable
from inferno_local.family import PR_SET_CHILD_SUBREAPER, Family
from inferno_local.home import Home

ENV = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    yield Home.at(tmp_path)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def start_own() -> "subprocess.Popen[bytes]":
    """A process that ends with 7 once it is let go."""
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(7)"], stdin=subprocess.PIPE)


def ends(pid: int) -> bool:
    """Wait until nothing runs under that number."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)


async def test_what_the_supervisor_runs_for_itself_is_left_alone(home: Home) -> None:
    family, own = Family(home), start_own()
    child = family.spawn(["true"], ENV, home.log("child"))
    assert await child.exit(10) == 0
    await asyncio.to_thread(own.communicate)
    assert own.returncode == 7


async def test_an_orphan_of_a_child_is_buried(home: Home) -> None:
    child = Family(home).spawn(["sh", "-c", "sleep 1000 & echo $!"], ENV, home.log("child"))
    assert await child.exit(10) == 0
    assert await asyncio.to_thread(ends, int(home.log("child").read_text()))


async def test_a_command_that_fails_says_why(home: Home) -> None:
    with pytest.raises(Unavailable, match="sh ended with 3: ERROR: no luck"):
        await Family(home).run(["sh", "-c", "echo ERROR: no luck; exit 3"], ENV, home.log("child"))
