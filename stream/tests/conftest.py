"""One real broker a session, and what tests put around it: edges, workers with scripted engines."""

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from inferno_core.acceptance import Accepted
from inferno_core.records import Deadlines, Tenant
from inferno_core.settings import ApiSettings, KafkaSettings, WorkerSettings
from inferno_local import checkout, jars
from inferno_local.home import Home
from inferno_local.parts.kafka import kafka_part
from inferno_local.ports import Ports
from inferno_stream import kafka
from inferno_stream.edge import Draft, Follower
from inferno_stream.engine import Engine
from inferno_stream.kafka_edge import KafkaEdge
from inferno_stream.worker import Worker

PATIENCE_S = 20.0


class Broker:
    """A real Kafka that can be killed and started again on the same data."""

    def __init__(self, root: Path) -> None:
        self._home = Home.at(root)
        self._part = kafka_part(self._home, Ports(self._home.ports), os.environ)
        self.bootstrap = self._part.endpoints["kafka"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        asyncio.run(self._part.prepare(self._run))
        self._process = self._spawn(self._part.argv)
        kafka.probe(self.bootstrap, 60.0)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE_S)

    async def _run(self, *argv: str, within_s: float = 120) -> None:
        assert self._spawn(argv).wait(within_s) == 0, self._home.log("kafka").read_text()

    def _spawn(self, argv: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        with self._home.log("kafka").open("ab") as log:
            return subprocess.Popen(argv, env=dict(self._part.env), cwd=self._home.root, stdout=log, stderr=log)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    jars.ensure(checkout.JARS_LOCK, checkout.JARS, lambda *_: None)
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def settings(broker: Broker) -> KafkaSettings:
    """A log of its own for each test."""
    mark = secrets.token_hex(4)
    return KafkaSettings(
        bootstrap_servers=broker.bootstrap,
        queue_topic=f"queue-{mark}",
        reply_topic=f"reply-{mark}",
        queue_partitions=4,
        reply_partitions=2,
    )


class Platform:
    """Starts edges and workers on one log, and stops them in the end."""

    def __init__(self, settings: KafkaSettings, stack: AsyncExitStack) -> None:
        self.settings = settings
        self._stack = stack

    async def edge(self, *, name: str = "api-0", reply_partition: int = 0, max_waiting: int = 4096) -> KafkaEdge:
        api = ApiSettings(reply_partition=reply_partition, max_waiting=max_waiting)
        edge = KafkaEdge(self.settings, api, name=name, id_key=b"k" * 32)
        await edge.start()
        self._stack.push_async_callback(edge.stop)
        return edge

    async def worker(self, engine: Engine, *, name: str = "worker-0", slots: int = 256) -> Worker:
        worker = Worker(self.settings, WorkerSettings(slots=slots), engine, name=name)
        await worker.start()
        self._stack.push_async_callback(worker.stop)
        return worker


@pytest_asyncio.fixture
async def platform(settings: KafkaSettings) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        yield Platform(settings, stack)


MakeDraft = Callable[..., Draft]


@pytest.fixture
def draft() -> MakeDraft:
    def make(project: str = "p", *, grace_s: float = 0.0, **deadlines: float) -> Draft:
        tenant = Tenant("o", project, "k")
        return Draft("chat", b"{}", "model", "1", tenant, seed=1, grace_s=grace_s, deadlines=Deadlines(**deadlines))

    return make


Read = Callable[[Follower], Awaitable[list[Accepted]]]


@pytest.fixture
def read() -> Read:
    """Reads a follower to its end."""

    async def to_the_end(follower: Follower) -> list[Accepted]:
        accepted: list[Accepted] = []
        while True:
            try:
                some = await follower.next(PATIENCE_S)
            except StopAsyncIteration:
                await follower.aclose()
                return accepted
            assert some, f"nothing came within {PATIENCE_S} s after {accepted[-1:]}"
            accepted += some

    return to_the_end


Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits for a condition that no event announces, a turn of the loop at a time."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
