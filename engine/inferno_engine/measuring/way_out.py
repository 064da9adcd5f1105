"""Measures the way from an engine's step to a worker: the synthetic engine in Triton, and the worker's own session.

python -m inferno_engine.measuring.way_out --output figures.json

Needs no weights; a minute on two cores. docs/engine.md says what the figures mean.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio
import msgspec
from msgspec import Struct
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core.errors import EngineFailed
from inferno_engine import environment
from inferno_engine.measuring import host
from inferno_engine.measuring.host import Host, Version
from inferno_engine.measuring.worker import Listener, at_work
from inferno_stream import tensors

_CHECKOUT = Path(__file__).resolve().parents[3]
_LOAD_S = 60.0


class Plan(Struct, frozen=True):
    """How many generations at once, and how many tokens each has in which part."""

    streams: int = 512
    one_by_one: int = 100
    unpaced: int = 4000
    paced: int = 600
    adopted: int = 300
    adopt_after_s: float = 2.0


class Figures(Struct):
    """What was measured at `streams` generations at once. CPU is in µs a token: of the host, which is tritonserver with
    its stub, and of the worker's session.
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
    first_words_of_all_ms: float = 0.0
    adopt_all_ms: float = 0.0


class Bench:
    """Measures in `folder`, by a plan."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._streams = plan.streams
        self._environment = environment.ensure_triton_environment(_CHECKOUT)
        self.figures = Figures(plan.streams)

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
            tokens = await _count_responses(served.address, self._streams, self._plan.one_by_one)
            self.figures.one_by_one_tokens_s = tokens / (time.perf_counter() - begun)

    async def _unpaced(self) -> None:
        async with self._synthetic("unpaced", step_ms=0) as served, at_work(served.address, "unpaced") as worker:
            begun = time.perf_counter()
            listeners = worker.submit(self._streams, self._plan.unpaced)
            await worker.until(lambda: all(listener.ended for listener in listeners))
            self.figures.session_tokens_s = _counted(listeners, self._plan.unpaced) / (time.perf_counter() - begun)

    async def _paced(self) -> None:
        """At 20 ms a step: how long words take, and what they cost, from the first token of all to the last."""
        figures = self.figures
        async with self._synthetic("paced") as served, at_work(served.address, "paced") as worker:
            begun = time.perf_counter()
            listeners = worker.submit(self._streams, self._plan.paced)
            # The batch is made at the end of this turn of the loop.
            await asyncio.sleep(0)
            await worker.until(lambda: worker.session.is_heard)
            figures.submit_all_ms = 1000 * (time.perf_counter() - begun)
            await worker.until(lambda: all(listener.began for listener in listeners))
            figures.first_words_of_all_ms = 1000 * (time.perf_counter() - begun)
            worker.session.delays_s.clear()
            host_s, worker_s, begun = served.process.cpu_s(), time.process_time(), time.perf_counter()
            await worker.until(lambda: all(listener.ended for listener in listeners))
            tokens = _counted(listeners, self._plan.paced) - self._streams
            figures.paced_tokens_s = tokens / (time.perf_counter() - begun)
            figures.host_cpu_us = 1e6 * (served.process.cpu_s() - host_s) / tokens
            figures.worker_cpu_us = 1e6 * (time.process_time() - worker_s) / tokens
            hundredths = quantiles(worker.session.delays_s, n=100)
            figures.tick_to_worker_p50_ms, figures.tick_to_worker_p99_ms = 1000 * hundredths[49], 1000 * hundredths[98]

    async def _adoption(self) -> None:
        """In the middle of all, another worker takes everything over."""
        async with self._synthetic("adopted") as served, at_work(served.address, "former") as former:
            listeners = former.submit(self._streams, self._plan.adopted, keeps=True)
            await former.until(lambda: all(listener.began for listener in listeners))
            await asyncio.sleep(self._plan.adopt_after_s)
            async with at_work(served.address, "later", epoch=2) as later:
                # What a worker reads from the log before it adopts is measured with the log.
                histories = [listener.history() for listener in listeners]
                begun = time.perf_counter()
                adopted = later.adopt(listeners, histories)
                await later.until(lambda: later.session.adopted == self._streams)
                self.figures.adopt_all_ms = 1000 * (time.perf_counter() - begun)
                await later.until(lambda: all(listener.ended for listener in adopted))
                _counted(adopted, self._plan.adopted)

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
        figures = asyncio.run(Bench(Path(folder), Plan(asked.streams)).run())
    text = msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n"
    if asked.output is None:
        sys.stdout.write(text)
    else:
        asked.output.write_text(text)


if __name__ == "__main__":
    main()
