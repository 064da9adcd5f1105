"""What a request that is answered as a whole costs of the API process.

INFERNO_SYNTHETIC__STEP_MS=5 inferno up --engine synthetic
python -m inferno_benchmarks.whole [--requests 2000] [--connections 8] [--tokens 16]
"""

import argparse
import asyncio
import sys
import time

import uvloop
from msgspec import Struct

from inferno_benchmarks.raw_client import Connection, request
from inferno_benchmarks.target import Target

_WARM_UP = 100


class Cost(Struct, frozen=True):
    """CPU time of a request in ms: of each process, and of the API's threads."""

    requests: int
    seconds: float
    processes_ms: dict[str, float]
    threads_ms: dict[str, float]

    def __str__(self) -> str:
        rows = [*self.processes_ms.items()]
        rows += [(f"api: {name}", ms) for name, ms in sorted(self.threads_ms.items(), key=lambda each: -each[1])]
        lines = [f"| {name} | {ms:.2f} |" for name, ms in rows if ms >= _SHOWN_MS]
        title = f"{self.requests:,} whole requests, {self.requests / self.seconds:,.0f} a second"
        return "\n".join((f"| {title} | CPU ms a request |", "|---|---|", *lines))


_SHOWN_MS = 0.005


async def measure(target: Target, requests: int, connections: int, tokens: int) -> Cost:
    """Ask so often, over so many connections. Raises `Refused`."""
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    asked = request(target, {"messages": messages, "max_tokens": tokens})
    opened = [Connection(target) for _ in range(connections)]
    await asyncio.gather(*(connection.open() for connection in opened))
    await _ask(opened, asked, _WARM_UP)
    began = time.perf_counter()
    processes, threads = target.cpu_s(), target.thread_cpu_s("api-0")
    await _ask(opened, asked, requests)
    took = time.perf_counter() - began
    processes_then, threads_then = target.cpu_s(), target.thread_cpu_s("api-0")
    for connection in opened:
        connection.close()
    return Cost(requests, took, _each(processes, processes_then, requests), _each(threads, threads_then, requests))


async def _ask(connections: list[Connection], request: bytes, times: int) -> None:
    left = iter(range(times))

    async def one_after_the_other(connection: Connection) -> None:
        for _ in left:
            await connection.ask(request)

    await asyncio.gather(*(one_after_the_other(connection) for connection in connections))


def _each(before: dict[str, float], after: dict[str, float], requests: int) -> dict[str, float]:
    return {name: (after[name] - before.get(name, 0.0)) * 1e3 / requests for name in after}


def main() -> None:
    """Measure the stack of `INFERNO_HOME`."""
    parser = argparse.ArgumentParser(description="CPU time of a whole request in the API process.")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=16)
    asked = parser.parse_args()
    cost = uvloop.run(measure(Target.running(), asked.requests, asked.connections, asked.tokens))
    sys.stdout.write(f"{cost}\n")


if __name__ == "__main__":
    main()
