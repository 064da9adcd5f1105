"""What watching costs: two stacks on one machine, one that tells everything and one that tells nothing, loaded in turn.

python -m inferno_benchmarks.telemetry [ROUNDS]

"On" makes a span of all there is, writes a JSON line of every request, and is scraped each second; "off" makes no spans
and writes no lines. Metrics are counted in both.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx

from inferno_benchmarks.target import Target

_ROUNDS = 10
_REQUESTS = 200
_AT_ONCE = 32
_TOKENS = 64
_SCRAPE_S = 1.0
_ENGINE = {"INFERNO_SYNTHETIC__STEP_MS": "0"}


class Round(NamedTuple):
    """One load's figures: tokens a second, and CPU of APIs and workers in µs a token."""

    tokens_per_s: float
    cpu_us: float


def measure(rounds: int) -> str:
    """Measure both stacks, and give the comparison as Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = stack.enter_context(_collector())
        told = {"INFERNO_TELEMETRY__OTLP_ENDPOINT": endpoint, "INFERNO_LOG_FORMAT": "json", "INFERNO_LOG_LEVEL": "info"}
        off = stack.enter_context(_stack(folder / "off", {"INFERNO_LOG_LEVEL": "error"}))
        on = stack.enter_context(_stack(folder / "on", told))
        return asyncio.run(_compare(off, on, rounds))


async def _compare(off: Target, on: Target, rounds: int) -> str:
    """Load them in turn, each first every other time, so that a noisy machine disturbs both alike."""
    figures: dict[str, list[Round]] = {"off": [], "on": []}
    await _load(off, scraped=False)
    await _load(on, scraped=True)
    for number in range(rounds):
        order = (("off", off), ("on", on)) if number % 2 else (("on", on), ("off", off))
        for name, target in order:
            figures[name].append(await _load(target, scraped=name == "on"))
    return _table(figures["off"], figures["on"])


async def _load(target: Target, *, scraped: bool) -> Round:
    async with target.client() as client:
        scraping = asyncio.create_task(_scrape(client)) if scraped else None
        gate = asyncio.Semaphore(_AT_ONCE)
        before, started = _cpu_s(target), time.perf_counter()
        await asyncio.gather(*(_ask(client, gate, number) for number in range(_REQUESTS)))
        seconds, cpu_s = time.perf_counter() - started, _cpu_s(target) - before
        if scraping is not None:
            scraping.cancel()
    tokens = _REQUESTS * _TOKENS
    return Round(tokens / seconds, cpu_s * 1e6 / tokens)


async def _ask(client: httpx.AsyncClient, gate: asyncio.Semaphore, number: int) -> None:
    messages = [{"role": "user", "content": f"Question {number}."}]
    body = {"model": "synthetic", "messages": messages, "max_tokens": _TOKENS, "stream": True}
    async with gate, client.stream("POST", "/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        async for _ in response.aiter_raw():
            pass


async def _scrape(client: httpx.AsyncClient) -> None:
    while True:
        (await client.get("/metrics")).raise_for_status()
        await asyncio.sleep(_SCRAPE_S)


def _cpu_s(target: Target) -> float:
    return sum(seconds for name, seconds in target.cpu_s().items() if name.startswith(("api-", "worker-")))


def _table(off: list[Round], on: list[Round]) -> str:
    costs = [1 - theirs.tokens_per_s / mine.tokens_per_s for mine, theirs in zip(off, on, strict=True)]
    speed = [statistics.median(each.tokens_per_s for each in rounds) for rounds in (off, on)]
    cpu = [statistics.median(each.cpu_us for each in rounds) for rounds in (off, on)]
    return "\n".join(
        (
            f"| {len(off)} rounds of {_REQUESTS} streams of {_TOKENS} tokens, {_AT_ONCE} at once | off | on | cost |",
            "|---|---|---|---|",
            f"| tokens a second, median | {speed[0]:.0f} | {speed[1]:.0f} | {statistics.median(costs):.1%} |",
            f"| CPU of API and worker, µs a token | {cpu[0]:.1f} | {cpu[1]:.1f} | {cpu[1] / cpu[0] - 1:.1%} |",
        )
    )


@contextmanager
def _stack(home: Path, settings: dict[str, str]) -> Generator[Target]:
    """Run a stack with the synthetic engine, which makes tokens as fast as it can."""
    env = os.environ | {"INFERNO_HOME": str(home), "INFERNO_PORT": "0"} | _ENGINE | settings
    try:
        _inferno(env, "up", "--engine", "synthetic")
        yield Target.read(home, json.loads(_inferno(env, "status", "--json")))
    finally:
        _inferno(env, "down")


def _inferno(env: dict[str, str], *args: str) -> str:
    command = [str(Path(sys.executable).with_name("inferno")), *args]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own command


@contextmanager
def _collector() -> Generator[str]:
    """Take whatever spans are sent, and look at none."""

    class Handler(BaseHTTPRequestHandler):
        """Answers 200."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Read a batch, and forget it."""
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Measure, and write the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    sys.stdout.write(measure(rounds) + "\n")


if __name__ == "__main__":
    main()
