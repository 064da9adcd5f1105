"""Measures the way from an engine's step to a worker: the synthetic engine in Triton, and the worker's own session.

python -m inferno_engine.measuring.way_out --output figures.json

Needs no weights; a minute on two cores. docs/engine.md says what the figures mean.
"""

import argparse
import asyncio
import itertools
import json
import shutil
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio
import msgspec
from msgspec import Struct
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core.acceptance import History
from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Frame, Request, Tenant
from inferno_core.session import Message
from inferno_engine import environment
from inferno_engine.measuring import host
from inferno_engine.measuring.host import Host, Version
from inferno_stream import tensors
from inferno_stream.engine import Order, Place, Receipt
from inferno_stream.session import Session
from inferno_stream.triton import Triton

_CHECKOUT = Path(__file__).resolve().parents[3]
_LOAD_S = 60.0
_WAIT_S = 120.0
_PARTITION = "measuring/0"
_PLAIN_TOKENS = 100
_UNPACED_TOKENS = 4000
_PACED_TOKENS = 600
_ADOPTED_TOKENS = 300
_ADOPT_AFTER_S = 2.0


class Figures(Struct):
    """What was measured at `streams` generations at once. CPU is in µs a token, in tritonserver with its stub, and in the
    worker's session.
    """

    streams: int
    one_by_one_tokens_s: float = 0.0
    session_tokens_s: float = 0.0
    paced_tokens_s: float = 0.0
    host_cpu_us: float = 0.0
    worker_cpu_us: float = 0.0
    tick_to_worker_p50_ms: float = 0.0
    tick_to_worker_p99_ms: float = 0.0
    submit_all_ms: float = 0.0
    adopt_all_ms: float = 0.0


class Listener:
    """Hears one generation. With `keeps` it has its frames, as a taker-over would read them from the log."""

    __slots__ = ("_keeps", "_news", "began", "ended", "frames", "request", "tokens")

    def __init__(
        self, request: Request, news: asyncio.Event, frames: Sequence[EngineFrame] = (), *, keeps: bool
    ) -> None:
        self.request = request
        self.frames = list(frames)
        self.tokens = sum(len(frame.tokens) for frame in frames)
        self.began = False
        self.ended = False
        self._keeps = keeps
        self._news = news

    def heard(self, frame: EngineFrame, receipt: Receipt) -> None:
        """Count a frame; it is as good as in the log."""
        self.tokens += len(frame.tokens)
        if self._keeps and frame.choice >= 0:
            self.frames.append(frame)
        receipt.settle()
        if frame.final is not None or not self.began:
            self.began, self.ended = True, frame.final is not None
            self._news.set()

    def failed(self, error: InfernoError) -> None:
        """Stop: no figure is worth anything now."""
        raise EngineFailed(f"A generation failed: {error.message}") from error

    def history(self) -> History:
        """Give what stands in the log now."""
        history, index = History(), 0
        for frame in self.frames:
            history.frame(Frame(self.request.id, 1, 0, index, frame.tokens, frame.delta, frame.finish))
            index += len(frame.tokens)
        return history


class Timed(Session):
    """A session that notes how long each message took from the end of the engine's step until it was given on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.delays_s: list[float] = []
        self.adopted = 0

    def _read(self, message: Message, size_bytes: int) -> str:
        bye = super()._read(message, size_bytes)
        if message.frames is not None:
            self.delays_s.append(time.monotonic() - message.at)
        if message.adoptions:
            self.adopted += sum(adoption.resumed for adoption in message.adoptions)
            self._changed()
        return bye


class Worker:
    """A session on the synthetic model, as a worker has it. Use `at_work`."""

    def __init__(self, triton: Triton, name: str, epoch: int) -> None:
        self.news = asyncio.Event()
        self.session = Timed(
            triton,
            "synthetic",
            "1",
            name=name,
            handles=itertools.count(1),
            fences={_PARTITION: epoch},
            changed=self.news.set,
            on_lost=self.news.set,
        )
        self._epoch = epoch

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is so. Raises TimeoutError."""
        async with asyncio.timeout(_WAIT_S):
            while not fact():
                self.news.clear()
                await self.news.wait()

    def submit(self, streams: int, tokens: int, *, keeps: bool = False) -> list[Listener]:
        """Begin so many generations of so many tokens."""
        listeners = [Listener(_request(stream, tokens), self.news, keeps=keeps) for stream in range(streams)]
        for listener in listeners:
            self.session.hold(1)
            self._start(listener, None)
        return listeners

    def adopt(self, others: Sequence[Listener], histories: Sequence[History]) -> list[Listener]:
        """Take over generations of another worker, after what stands in the log."""
        listeners = [Listener(other.request, self.news, other.frames, keeps=True) for other in others]
        for listener, history in zip(listeners, histories, strict=True):
            self._start(listener, history)
        return listeners

    def _start(self, listener: Listener, history: History | None) -> None:
        runs = history is not None
        place = Place("", self.session.life, "", "synthetic", "1", slots=0 if runs else 1, runs=runs)
        self.session.start(Order(listener.request, _PARTITION, self._epoch, history), place, listener)


def _request(stream: int, tokens: int) -> Request:
    body = {"messages": [{"role": "user", "content": f"Stream {stream}"}], "max_tokens": tokens, "seed": stream}
    return Request(
        id=f"{time.monotonic_ns()}-{stream}",
        surface="chat",
        body=json.dumps(body).encode(),
        model="synthetic",
        version="1",
        tenant=Tenant("", "", ""),
        reader="",
        created_ms=time.time_ns() // 1_000_000,
        seed=stream,
        max_tokens=tokens,
    )


@asynccontextmanager
async def at_work(address: str, name: str, epoch: int = 1) -> AsyncGenerator[Worker]:
    """Open a session on the host at `address`, and close it on leaving."""
    triton = Triton(address, _WAIT_S)
    worker = Worker(triton, name, epoch)
    running = asyncio.create_task(worker.session.run())
    try:
        await worker.until(lambda: worker.session.free > 0)
        yield worker
    finally:
        await worker.session.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await triton.close()


class Bench:
    """What is measured, with `streams` generations at once."""

    def __init__(self, folder: Path, streams: int) -> None:
        self._folder = folder
        self._streams = streams
        self._environment = environment.ensure_triton_environment(_CHECKOUT)
        self.figures = Figures(streams)

    async def run(self) -> Figures:
        """Measure everything, one thing after the other."""
        for measure in (self._one_by_one, self._unpaced, self._paced, self._adoption):
            await measure()
        return self.figures

    async def _one_by_one(self) -> None:
        """As fast as a plain decoupled model goes, with the cheapest of clients."""
        model = self._folder / "plain" / "repository" / "one_by_one" / "1"
        model.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("one_by_one") / "model.py", model)
        version = Version("one_by_one", 'backend: "python"\ninstance_group [ { count: 1 kind: KIND_MODEL } ]\n', {})
        async with self._served("plain", version) as served:
            begun = time.perf_counter()
            tokens = await _count_responses(served.address, self._streams, _PLAIN_TOKENS)
            self.figures.one_by_one_tokens_s = tokens / (time.perf_counter() - begun)

    async def _unpaced(self) -> None:
        async with self._synthetic("unpaced", step_ms=0) as served, at_work(served.address, "unpaced") as worker:
            begun = time.perf_counter()
            listeners = worker.submit(self._streams, _UNPACED_TOKENS)
            await worker.until(lambda: all(listener.ended for listener in listeners))
            self.figures.session_tokens_s = _counted(listeners, _UNPACED_TOKENS) / (time.perf_counter() - begun)

    async def _paced(self) -> None:
        """At 20 ms a step: how long words take, and what they cost, from the first token of all to the last."""
        figures = self.figures
        async with self._synthetic("paced") as served, at_work(served.address, "paced") as worker:
            begun = time.perf_counter()
            listeners = worker.submit(self._streams, _PACED_TOKENS)
            await worker.until(lambda: all(listener.began for listener in listeners))
            figures.submit_all_ms = 1000 * (time.perf_counter() - begun)
            worker.session.delays_s.clear()
            host_s, worker_s, begun = served.process.cpu_s(), time.process_time(), time.perf_counter()
            await worker.until(lambda: all(listener.ended for listener in listeners))
            tokens = _counted(listeners, _PACED_TOKENS) - self._streams
            figures.paced_tokens_s = tokens / (time.perf_counter() - begun)
            figures.host_cpu_us = 1e6 * (served.process.cpu_s() - host_s) / tokens
            figures.worker_cpu_us = 1e6 * (time.process_time() - worker_s) / tokens
            hundredths = quantiles(worker.session.delays_s, n=100)
            figures.tick_to_worker_p50_ms, figures.tick_to_worker_p99_ms = 1000 * hundredths[49], 1000 * hundredths[98]

    async def _adoption(self) -> None:
        """In the middle of all, another worker takes everything over."""
        async with self._synthetic("adopted") as served, at_work(served.address, "former") as former:
            listeners = former.submit(self._streams, _ADOPTED_TOKENS, keeps=True)
            await former.until(lambda: all(listener.began for listener in listeners))
            await asyncio.sleep(_ADOPT_AFTER_S)
            async with at_work(served.address, "later", epoch=2) as later:
                # What a worker reads from the log before it adopts is measured with the log.
                histories = [listener.history() for listener in listeners]
                begun = time.perf_counter()
                adopted = later.adopt(listeners, histories)
                await later.until(lambda: later.session.adopted == self._streams)
                self.figures.adopt_all_ms = 1000 * (time.perf_counter() - begun)
                await later.until(lambda: all(listener.ended for listener in adopted))
                _counted(adopted, _ADOPTED_TOKENS)

    def _synthetic(self, name: str, **arguments: float) -> AbstractAsyncContextManager[Host]:
        config = (_CHECKOUT / "model_repository" / "synthetic" / "config.pbtxt").read_text()
        taken = {"max_num_seqs": self._streams, "kv_cache_tokens": 1 << 24, "prefill_tokens_per_step": 1 << 16}
        return self._served(name, Version("synthetic", config, {**taken, **arguments}))

    def _served(self, name: str, version: Version) -> AbstractAsyncContextManager[Host]:
        return host.serve(name, self._environment, self._folder / name, version, _LOAD_S)


async def _count_responses(address: str, streams: int, tokens: int) -> int:
    """Ask the plain model, all on one stream, and count what comes."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        responses = 0
        async for response in stub.ModelStreamInfer(_plain_requests(streams, tokens)):
            responses += bool(response.infer_response.outputs)
        if responses != streams * tokens:
            raise EngineFailed(f"{responses} of {streams * tokens} responses came.")
        return responses


async def _plain_requests(streams: int, tokens: int) -> AsyncIterator[tensors.Request]:
    for _ in range(streams):
        request = tensors.new_request("one_by_one", "", "")
        tensor = request.inputs.add(name="tokens", datatype="INT32", shape=[1])
        tensor.contents.int_contents.append(tokens)
        yield request


def _counted(listeners: Sequence[Listener], tokens: int) -> int:
    """Give the number of tokens. Raises EngineFailed if any is missing, or came twice."""
    wrong = next((listener.tokens for listener in listeners if listener.tokens != tokens), None)
    if wrong is not None:
        raise EngineFailed(f"A generation of {tokens} tokens came with {wrong}.")
    return tokens * len(listeners)


def main() -> None:
    """Measure, and print or write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=512, help="how many generations run at once")
    parser.add_argument("--output", type=Path, help="where the figures go, as JSON; else they are printed")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = asyncio.run(Bench(Path(folder), asked.streams).run())
    text = msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n"
    if asked.output is None:
        sys.stdout.write(text)
    else:
        asked.output.write_text(text)


if __name__ == "__main__":
    main()
