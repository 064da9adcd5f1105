"""A stack of the real servers, with small HTTP servers in place of the platform's processes: the table is data."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from inferno_local.client import Client
from inferno_local.home import Home
from inferno_local.leftovers import MARK
from inferno_local.report import ProcessReport, StackReport, Wanted

SUPERVISOR = Path(__file__).with_name("partial_stack.py")
PATIENCE_S = 40.0


class PartialStack:
    """A supervisor in a process of its own, over the table of `partial_stack.py`."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.home = Home.at(root)
        self.client = Client(self.home)
        self.settings = settings

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the supervisor and wait until it answers."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("INFERNO_")}
        env |= {"INFERNO_HOME": str(self.home.root), "INFERNO_PORT": "0", **self.settings}
        with self.home.log("supervisor").open("ab") as log:
            process = subprocess.Popen([sys.executable, str(SUPERVISOR)], env=env, stdout=log, stderr=log)
        self.until(lambda: process.poll() is not None or self.client.status() is not None, "an answering supervisor")
        return process

    def up(self, wanted: Wanted | None = None) -> StackReport:
        """Apply what is wanted, and wait until all of it is ready."""
        self.client.apply(wanted or Wanted())
        self.until(self.is_ready, "a ready stack")
        return self.report()

    def is_ready(self) -> bool:
        """Whether every process answers."""
        return all(process.state in {"ready", "done"} for process in self.report().processes)

    def report(self) -> StackReport:
        """What the supervisor says."""
        report = self.client.status()
        assert report is not None, self.home.log("supervisor").read_text()
        return report

    def process(self, name: str) -> ProcessReport:
        """One process of the report."""
        return next(process for process in self.report().processes if process.name == name)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Ask until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S} s\n{self.client.status()}"
            time.sleep(0.02)

    def living(self) -> list[psutil.Process]:
        """Everything that runs for this home, its supervisor aside. Servers that write over their environment are
        known by the folder in their command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            marked = process.environ().get(MARK) == str(self.home.root)
            return (marked or f"{self.home.root}/" in " ".join(process.cmdline())) and (
                process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False


@pytest.fixture(scope="session", autouse=True)
def _jars() -> None:
    """The broker's jars, fetched once a checkout."""
    from inferno_engine.progress import silent
    from inferno_local import checkout, jars

    jars.ensure(checkout.JARS_LOCK, checkout.JARS, silent)


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., PartialStack]]:
    """Make partial stacks; whatever a test leaves of them is stopped."""
    made: list[PartialStack] = []

    def make(root: Path | None = None, **settings: str) -> PartialStack:
        made.append(PartialStack(root or tmp_path / f"home-{len(made)}", **settings))
        return made[-1]

    yield make
    for stack in made:
        stack.client.down()
        left = stack.living()
        for process in left:
            process.kill()
        assert left == [], left
