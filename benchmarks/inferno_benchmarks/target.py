"""The stack that is measured: where it is reached, and what its processes cost."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import psutil
from msgspec import Struct


class Target(Struct, frozen=True):
    """An embedded stack, from what `inferno up` wrote and `inferno status --json` says."""

    url: str
    api_key: str
    triton_http: str
    pids: dict[str, int]
    model: str = "synthetic"

    @classmethod
    def running(cls) -> "Target":
        """Read the stack of `INFERNO_HOME`, which is up."""
        home = Path(os.environ.get("INFERNO_HOME", ".inferno"))
        status = subprocess.run(["inferno", "status", "--json"], check=True, capture_output=True)  # noqa: S607 - the environment's own.
        return cls.read(home, json.loads(status.stdout))

    @classmethod
    def read(cls, home: Path, status: dict[str, Any]) -> "Target":
        """Read the credentials in `home`, and the addresses and pids of `status`."""
        credentials = json.loads((home / "credentials.json").read_text())
        return cls(
            url=credentials["url"],
            api_key=credentials["api_key"],
            triton_http=status["endpoints"]["triton_http"].split(",")[0],
            pids={process["name"]: process["pid"] for process in status["processes"]},
        )

    def client(self) -> httpx.AsyncClient:
        """Open connections to the API, with the key."""
        limits = httpx.Limits(max_connections=None)
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=120, limits=limits)

    def cpu_s(self) -> dict[str, float]:
        """CPU time of each process and its children so far, in seconds."""
        return {name: _cpu_s(pid) for name, pid in self.pids.items()}

    def thread_cpu_s(self, process: str) -> dict[str, float]:
        """CPU time of a process' threads so far, in seconds: its first one as `loop`, the others by their names."""
        pid = self.pids[process]
        times: dict[str, float] = {}
        for thread in Path(f"/proc/{pid}/task").iterdir():
            name = "loop" if thread.name == str(pid) else (thread / "comm").read_text().strip()
            spent_ns = int((thread / "schedstat").read_text().split()[0])
            times[name] = times.get(name, 0.0) + spent_ns / 1e9
        return times


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))
