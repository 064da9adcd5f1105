"""One real broker a session, and a log of its own for each test."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from log_platform import PATIENCE_S, Broker, MakeDraft, Platform, Read, Until

from inferno_core.acceptance import Accepted
from inferno_core.records import Deadlines, Tenant
from inferno_core.settings import KafkaSettings
from inferno_local import checkout, jars
from inferno_stream.edge import Draft, Follower


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


@pytest_asyncio.fixture
async def platform(settings: KafkaSettings) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        yield Platform(settings, stack)


@pytest.fixture
def draft() -> MakeDraft:
    def make(project: str = "p", *, grace_s: float = 0.0, **deadlines: float) -> Draft:
        tenant = Tenant("o", project, "k")
        return Draft("chat", b"{}", "model", "1", tenant, seed=1, grace_s=grace_s, deadlines=Deadlines(**deadlines))

    return make


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


@pytest.fixture
def until() -> Until:
    """Waits for a condition that no event announces, a turn of the loop at a time."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 -- nothing announces it
                await asyncio.sleep(0.005)

    return wait
