"""What tests put around a real broker: an API's edge, workers with scripted engines."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from inferno_core.acceptance import Accepted
from inferno_core.settings import ApiSettings, KafkaSettings, WorkerSettings
from inferno_local.home import Home
from inferno_local.parts.kafka import kafka_part
from inferno_local.ports import Ports
from inferno_stream import kafka
from inferno_stream.edge import Draft, Follower
from inferno_stream.engine import Engine
from inferno_stream.kafka_edge import KafkaEdge
from inferno_stream.metrics import Metrics
from inferno_stream.worker import Worker

PATIENCE_S = 20.0

MakeDraft = Callable[..., Draft]
Read = Callable[[Follower], Awaitable[list[Accepted]]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


class Broker:
    """A real Kafka that can be killed and started again on the same data."""

    def __init__(self, root: Path) -> None:
        self._home = Home.at(root)
        self._part = kafka_part(self._home, Ports(self._home.ports), os.environ)
        self.bootstrap = self._part.endpoints["kafka"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        asyncio.run(self._prepare())
        self._process = self._spawn(self._part.argv)
        kafka.probe(self.bootstrap, 60.0)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE_S)

    async def _prepare(self) -> None:
        await self._part.prepare(self._run)

    async def _run(self, *argv: str, within_s: float = 120) -> None:
        assert self._spawn(argv).wait(within_s) == 0, self._home.log("kafka").read_text()

    def _spawn(self, argv: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        with self._home.log("kafka").open("ab") as log:
            return subprocess.Popen(argv, env=dict(self._part.env), cwd=self._home.root, stdout=log, stderr=log)


class Platform:
    """Starts edges and workers on one log, and stops them in the end."""

    def __init__(self, settings: KafkaSettings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self._stack = stack

    async def edge(self, *, name: str = "api-0", reply_partition: int = 0, max_open: int = 4096) -> KafkaEdge:
        api = ApiSettings(reply_partition=reply_partition, max_open=max_open)
        edge = KafkaEdge(self.settings, api, name=name, id_key=b"k" * 32)
        await edge.start()
        self._stack.push_async_callback(edge.stop)
        return edge

    async def worker(self, engine: Engine, *, name: str = "worker-0", slots: int = 256) -> Worker:
        worker = Worker(self.settings, WorkerSettings(slots=slots), engine, Metrics(), name=name)
        await worker.start()
        self._stack.push_async_callback(worker.stop)
        return worker
