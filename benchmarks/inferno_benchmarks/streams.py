"""What a streamed token costs of the API process, with many streams open at once.

    export INFERNO_SYNTHETIC__STEP_MS=100 INFERNO_SYNTHETIC__SLOTS=2048 INFERNO_WORKER__SLOTS=2048
    export INFERNO_API__MAX_WAITING=2048 INFERNO_API__MAX_WAITING_PER_KEY=2048
    inferno up --engine synthetic
    python -m inferno_benchmarks.streams [--streams 500] [--seconds 10]

Only the time in which all streams run is looked at. With 2,000 streams let a step take 500 ms, so that two cores are
not the limit.
"""

import argparse
import asyncio
import sys
from urllib.parse import urlsplit

import uvloop
from msgspec import Struct

from inferno_benchmarks.raw_client import Refused, Stream, request
from inferno_benchmarks.target import Target

_AT_ONCE = 100
_BEGIN_S = 60.0
_TOKENS = 4000
"""More than come while it is measured: the streams are left, not ended."""


class Cost(Struct, frozen=True):
    """CPU time of a token in µs: of each process, and of the API's threads."""

    streams: int
    tokens: int
    seconds: float
    processes_us: dict[str, float]
    threads_us: dict[str, float]

    def __str__(self) -> str:
        title = f"{self.streams:,} streams, {self.tokens / self.seconds:,.0f} tokens/s for {self.seconds:.0f} s"
        rows = [(f"{name}", us) for name, us in self.processes_us.items()]
        rows += [(f"api: {name}", us) for name, us in sorted(self.threads_us.items(), key=lambda each: -each[1])]
        lines = [f"| {name} | {us:.1f} |" for name, us in rows if us >= _SHOWN_US]
        return "\n".join((f"| {title} | CPU µs a token |", "|---|---|", *lines))


_SHOWN_US = 0.05


class Crowd:
    """Many streams at once."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._news = asyncio.Event()
        self.streams: list[Stream] = []

    @property
    def events(self) -> int:
        """How many events with words came."""
        return sum(stream.events for stream in self.streams)

    async def gather(self, count: int) -> None:
        """Open so many, some at a time, and wait for the first words of each. Raises `Refused`."""
        async with asyncio.timeout(_BEGIN_S):
            while len(self.streams) < count:
                some = min(_AT_ONCE, count - len(self.streams))
                await asyncio.gather(*(self._open(len(self.streams) + number) for number in range(some)))
                while not all(stream.events or stream.error for stream in self.streams):
                    self._news.clear()
                    await self._news.wait()
                self.check()

    def check(self) -> None:
        """Raise `Refused` if a stream failed or ended."""
        for stream in self.streams:
            if stream.error or stream.over:
                raise Refused(stream.error or "A stream ended while it was measured: ask for more tokens.")

    def leave(self) -> None:
        """Hang up."""
        for stream in self.streams:
            stream.close()

    async def _open(self, number: int) -> None:
        messages = [{"role": "user", "content": f"Stream {number}."}]
        body = {"messages": messages, "max_tokens": _TOKENS, "ignore_eos": True, "stream": True}
        stream = Stream(request(self._target, body), self._news.set)
        self.streams.append(stream)
        address = urlsplit(self._target.url)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: stream, address.hostname or "", address.port or 80)


async def measure(target: Target, streams: int, seconds: float) -> Cost:
    """Open the streams, then look at what their tokens cost for a while. Raises `Refused`."""
    crowd = Crowd(target)
    loop = asyncio.get_running_loop()
    try:
        await crowd.gather(streams)
        began, tokens = loop.time(), crowd.events
        processes, threads = target.cpu_s(), target.thread_cpu_s("api-0")
        await asyncio.sleep(seconds)
        took, tokens = loop.time() - began, crowd.events - tokens
        processes_then, threads_then = target.cpu_s(), target.thread_cpu_s("api-0")
        crowd.check()
    finally:
        crowd.leave()
    return Cost(streams, tokens, took, _each(processes, processes_then, tokens), _each(threads, threads_then, tokens))


def _each(before: dict[str, float], after: dict[str, float], tokens: int) -> dict[str, float]:
    return {name: (after[name] - before.get(name, 0.0)) * 1e6 / max(1, tokens) for name in after}


def main() -> None:
    """Measure the stack of `INFERNO_HOME`."""
    parser = argparse.ArgumentParser(description="CPU time of a streamed token in the API process.")
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    sys.stdout.write(f"{uvloop.run(measure(Target.running(), asked.streams, asked.seconds))}\n")


if __name__ == "__main__":
    main()
