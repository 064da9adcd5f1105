"""Time to first token through the platform against Triton itself, and CPU a token, on the synthetic engine.

inferno up --engine synthetic
python -m inferno_benchmarks.first_figures
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx

from inferno_benchmarks.target import Target

_PAIRS = 200
_STREAMS = 100
_TOKENS = 200


async def measure(target: Target) -> str:
    """Measure everything, and give it as Markdown."""
    async with target.client() as client:
        await _drain(_platform(client, "Warm up.", 5))
        ours, direct = await _pairs(
            lambda: _first(_platform(client, "How soon?", 2)), lambda: _first(_direct(client, target, "How soon?", 2))
        )
        cpu_us = await _cpu(target, client)
    return "\n\n".join((_ttft_table(ours, direct), _cpu_table(cpu_us)))


async def _pairs(
    ours: Callable[[], Awaitable[float]], direct: Callable[[], Awaitable[float]]
) -> tuple[list[float], list[float]]:
    """Measure both in turn, so that a noisy machine disturbs both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_PAIRS):
        times[0].append(await ours())
        times[1].append(await direct())
    return times


async def _first(stream: AsyncIterator[str]) -> float:
    """Time to the first words, in ms; the rest is read too."""
    started = time.perf_counter()
    first_ms = 0.0
    async for words in stream:
        if words and not first_ms:
            first_ms = (time.perf_counter() - started) * 1000
    return first_ms


async def _drain(stream: AsyncIterator[str]) -> None:
    async for _ in stream:
        pass


async def _platform(client: httpx.AsyncClient, prompt: str, tokens: int) -> AsyncIterator[str]:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": "synthetic", "messages": messages, "max_tokens": tokens, "stream": True}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    yield choice["delta"].get("content") or ""


async def _direct(client: httpx.AsyncClient, target: Target, prompt: str, tokens: int) -> AsyncIterator[str]:
    url = f"http://{target.triton_http}/v2/models/synthetic/generate_stream"
    body = {"text_input": prompt, "stream": True, "sampling_parameters": json.dumps({"max_tokens": tokens})}
    async with client.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                yield json.loads(line[6:])["text_output"]


async def _cpu(target: Target, client: httpx.AsyncClient) -> dict[str, float]:
    """CPU of each process while many streams run, in µs a token."""
    before = target.cpu_s()
    await asyncio.gather(*(_drain(_platform(client, f"Stream {number}.", _TOKENS)) for number in range(_STREAMS)))
    after = target.cpu_s()
    return {name: (after[name] - before[name]) * 1e6 / (_STREAMS * _TOKENS) for name in after}


def _ttft_table(ours: list[float], direct: list[float]) -> str:
    added = [mine - theirs for mine, theirs in zip(ours, direct, strict=True)]
    rows = [("through the platform", ours), ("Triton itself", direct), ("added, pair by pair", added)]
    lines = [
        f"| {name} | {statistics.median(ms):.1f} | {statistics.quantiles(ms, n=100)[98]:.1f} |" for name, ms in rows
    ]
    return "\n".join((f"| TTFT of {_PAIRS} pairs, ms | p50 | p99 |", "|---|---|---|", *lines))


def _cpu_table(cpu_us: dict[str, float]) -> str:
    lines = [f"| {name} | {us:.0f} |" for name, us in cpu_us.items()]
    return "\n".join((f"| {_STREAMS} streams of {_TOKENS} tokens | CPU µs a token |", "|---|---|", *lines))


def main() -> None:
    """Measure the stack of `INFERNO_HOME`."""
    home = Path(os.environ.get("INFERNO_HOME", ".inferno"))
    status = subprocess.run(["inferno", "status", "--json"], check=True, capture_output=True)  # noqa: S607 - the environment's own.
    sys.stdout.write(asyncio.run(measure(Target.read(home, json.loads(status.stdout)))) + "\n")


if __name__ == "__main__":
    main()
