"""What the platform adds to the time to first token, over asking Triton's stock contract directly by gRPC.

    inferno up --engine synthetic
    python -m inferno_engine.measuring.ttft [--pairs 300]

Both are asked in turn for the same completion, each over a connection that stays open; this process does little else.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import uvloop

from inferno_stream import tensors
from inferno_stream.triton import Triton

_TIMEOUT_S = 30.0
_WARM_UP = 20
_PROMPT = "How soon does a word come?"
_TOKENS = 2


class Stack(NamedTuple):
    """An embedded stack, from what `inferno up` wrote and `inferno status --json` says."""

    host: str
    port: int
    api_key: str
    triton: str
    model: str

    @classmethod
    def read(cls, home: Path) -> "Stack":
        """Read the stack in `home`, which is up."""
        asked = subprocess.run(["inferno", "status", "--json"], check=True, capture_output=True)  # noqa: S607 - the environment's own.
        status: dict[str, Any] = json.loads(asked.stdout)
        credentials: dict[str, str] = json.loads((home / "credentials.json").read_text())
        url = urlsplit(str(status["url"]))
        triton = status["endpoints"]["triton_grpc"].split(",")[0]
        return cls(url.hostname or "", url.port or 80, credentials["api_key"], triton, "synthetic")


class Platform:
    """A client of the platform, below HTTP libraries."""

    def __init__(self, stack: Stack) -> None:
        body = {"model": stack.model, "prompt": _PROMPT, "max_tokens": _TOKENS, "temperature": 0, "stream": True}
        data = json.dumps(body).encode()
        head = (
            f"POST /v1/completions HTTP/1.1\r\nhost: {stack.host}\r\nauthorization: Bearer {stack.api_key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self._stack = stack
        self._request = head.encode() + data

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._stack.host, self._stack.port)

    async def first_s(self) -> float:
        """Ask, and say when the first words came; the rest is read too."""
        began = perf_counter()
        self._writer.write(self._request)
        await self._reader.readuntil(b'"text":"')
        took = perf_counter() - began
        await self._reader.readuntil(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        return took

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


class Direct:
    """A client of Triton itself."""

    def __init__(self, stack: Stack) -> None:
        self._triton = Triton(stack.triton, _TIMEOUT_S)
        self._request = tensors.new_request(stack.model, "", "")
        tensors.add_string(self._request, "text_input", _PROMPT)
        tensors.add_bool(self._request, "stream", True)
        tensors.add_string(self._request, "sampling_parameters", json.dumps({"max_tokens": _TOKENS, "temperature": 0}))

    async def first_s(self) -> float:
        """Ask, and say when the first words came; the rest is read too."""
        began = perf_counter()
        took = 0.0
        call: Any = self._triton.stream(self._once())
        async for response in call:
            if response.error_message:
                raise RuntimeError(response.error_message)
            took = took or perf_counter() - began
        return took

    async def _once(self) -> AsyncIterator[tensors.Request]:
        yield self._request

    async def close(self) -> None:
        """Hang up."""
        await self._triton.close()


async def measure(stack: Stack, pairs: int) -> tuple[list[float], list[float]]:
    """Measure both in turn, so that a noisy machine disturbs both alike. In seconds."""
    platform, direct = Platform(stack), Direct(stack)
    await platform.open()
    ours: list[float] = []
    theirs: list[float] = []
    try:
        for number in range(_WARM_UP + pairs):
            pair = await platform.first_s(), await direct.first_s()
            if number >= _WARM_UP:
                ours.append(pair[0])
                theirs.append(pair[1])
    finally:
        platform.close()
        await direct.close()
    return ours, theirs


def table(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Write the figures as Markdown."""
    added = [mine - their for mine, their in zip(ours, theirs, strict=True)]
    rows = [("through the platform", ours), ("Triton itself, gRPC", theirs), ("added, pair by pair", added)]
    lines = [_row(name, seconds) for name, seconds in rows]
    return "\n".join((f"| TTFT of {len(ours)} pairs, ms | p10 | p50 | p90 | p99 |", "|---|---|---|---|---|", *lines))


def _row(name: str, seconds: Sequence[float]) -> str:
    quantiles = statistics.quantiles([each * 1000 for each in seconds], n=100)
    return f"| {name} | " + " | ".join(f"{quantiles[at - 1]:.2f}" for at in (10, 50, 90, 99)) + " |"


def main() -> None:
    """Measure the stack of `INFERNO_HOME`."""
    parser = argparse.ArgumentParser(description="Time to first token, through the platform and from Triton itself.")
    parser.add_argument("--pairs", type=int, default=300)
    asked = parser.parse_args()
    stack = Stack.read(Path(os.environ.get("INFERNO_HOME", ".inferno")))
    sys.stdout.write(table(*uvloop.run(measure(stack, asked.pairs))) + "\n")


if __name__ == "__main__":
    main()
