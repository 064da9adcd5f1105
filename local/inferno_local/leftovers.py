"""Processes that a stack left behind: found by what proves that they are its own, and killed.

Two proofs count: a record of the process' number *and* start time, or the mark of this home in its environment, which
`Family` puts there and which all that a server starts inherits.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from inferno_local.files import read_json, write_json

MARK = "INFERNO_SUPERVISED_IN"
GONE_WITHIN_S = 10.0


class Register:
    """The file that names the living children by number and start time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._living: dict[int, float] = {}

    def add(self, pid: int) -> None:
        """Write down a new child."""
        try:
            self._living[pid] = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        write_json(self._path, self._living)

    def remove(self, pid: int) -> None:
        """Strike out a child that was reaped."""
        if self._living.pop(pid, None) is not None:
            write_json(self._path, self._living)

    def read(self) -> dict[int, float]:
        """What the file says, whoever wrote it."""
        return read_json(self._path, dict[int, float]) or {}


def find(root: Path, register: Register) -> list[psutil.Process]:
    """Every process that an earlier supervisor of the home at `root` left behind."""
    recorded = register.read()
    return [process for process in _others() if _is_ours(process, root, recorded)]


def bury(root: Path, register: Register) -> int:
    """Kill what was left behind, and wait until it is gone. Gives how many there were."""
    left = find(root, register)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=GONE_WITHIN_S)
    return len(left)


def _others() -> Iterator[psutil.Process]:
    return (process for process in psutil.process_iter() if process.pid != os.getpid())


def _is_ours(process: psutil.Process, root: Path, recorded: dict[int, float]) -> bool:
    try:
        if recorded.get(process.pid) == process.create_time():
            return True
        return process.environ().get(MARK) == str(root)
    except psutil.Error:
        return False
