"""The whole stack, as `inferno up` starts it: with the synthetic engine for the session, and with the real model."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import pytest

CHECKOUT = Path(__file__).parents[1]
PATIENCE_S = 60.0


class Stack:
    """An embedded stack with a home folder of its own, driven by the command that people use."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INFERNO_")}
        self.env = inherited | {"INFERNO_HOME": str(home), "INFERNO_PORT": "0"} | settings

    def command(self, *args: str, timeout_s: float = 600.0) -> subprocess.CompletedProcess[str]:
        """Run `inferno …` and give what it printed."""
        argv = [sys.executable, "-m", "inferno_cli.main", *args]
        return subprocess.run(
            argv, env=self.env, cwd=CHECKOUT, text=True, capture_output=True, timeout=timeout_s, check=False
        )

    def up(self, *args: str) -> Self:
        """Start, and wait until it answers."""
        done = self.command("up", *args)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return self

    def down(self) -> None:
        """Stop, and wait until all is gone."""
        done = self.command("down", timeout_s=120)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    @property
    def credentials(self) -> dict[str, Any]:
        """What `up` wrote for its user."""
        return dict(json.loads((self.home / "credentials.json").read_text()))

    @property
    def status(self) -> dict[str, Any]:
        """What `inferno status --json` says."""
        return dict(json.loads(self.command("status", "--json").stdout))

    def process(self, name: str) -> dict[str, Any]:
        """One process of the status."""
        return next(process for process in self.status["processes"] if process["name"] == name)

    def kill(self, name: str) -> int:
        """`kill -9` a process; give the pid that it had."""
        pid = int(self.process(name)["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def client(self, api: int = 0, **options: Any) -> httpx.AsyncClient:
        """An HTTP client of one API process, with the key."""
        credentials = self.credentials
        headers = {"Authorization": f"Bearer {credentials['api_key']}"}
        return httpx.AsyncClient(base_url=credentials["api_urls"][api], headers=headers, timeout=PATIENCE_S, **options)

    def until(self, holds: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the stack is in a state that only asking can tell."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s} s\n{json.dumps(self.status, indent=1)}"
            time.sleep(0.05)

    def until_ready(self) -> None:
        """Wait until every process is ready and the API says so."""
        self.until(lambda: all(process["state"] == "ready" for process in self.status["processes"]), "processes ready")
        self.until(self._answers, "/readyz")

    def _answers(self) -> bool:
        try:
            return all(httpx.get(f"{url}/readyz").status_code == 200 for url in self.credentials["api_urls"])
        except httpx.HTTPError:
            return False

    def leftovers(self, within_s: float) -> list[str]:
        """What still runs on this machine of all that was started for this stack, after it had time to go."""
        ours = [process for process in psutil.process_iter() if self._is_ours(process)]
        _, alive = psutil.wait_procs(ours, within_s)
        return [str(process) for process in alive]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("INFERNO_HOME") == str(self.home) and process.pid != os.getpid()
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            return False


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two APIs, two workers and one Triton with the synthetic engine."""
    running = Stack(tmp_path_factory.mktemp("stack"))
    running.up("--engine", "synthetic", "--api", "2", "--workers", "2")
    yield running
    running.down()


@pytest.fixture(scope="session")
def real_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with SmolLM2."""
    running = Stack(tmp_path_factory.mktemp("real")).up("--engine", "vllm")
    yield running
    running.down()


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make stacks that this test starts, breaks and leaves: they are stopped afterwards, however it ends."""
    made: list[Stack] = []

    def make(home: Path | None = None, **settings: str) -> Stack:
        made.append(Stack(home or tmp_path / f"home-{len(made)}", **settings))
        return made[-1]

    yield make
    for each in made:
        each.command("down", timeout_s=120)
        assert each.leftovers(within_s=5) == []
