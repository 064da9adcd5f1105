"""The stack that is measured: where it is reached, and what its processes cost."""

import json
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


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))
