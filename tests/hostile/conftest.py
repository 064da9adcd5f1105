"""A stack that is given everything that a client can send."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from tests.hostile import witness

from tests.conftest import Stack

SETTINGS = {
    # Fast, and with a small context, so that no generated request costs more than a moment.
    "INFERNO_SYNTHETIC__STEP_MS": "1",
    "INFERNO_SYNTHETIC__CONTEXT": "2048",
    # Short enough to be waited for.
    "INFERNO_API__HEADER_TIMEOUT_S": "2",
    "INFERNO_API__SLOW_READER_BYTES": "65536",
    "INFERNO_API__SLOW_READER_S": "2",
    "INFERNO_API__KEEPALIVE_S": "1",
}


class Target(NamedTuple):
    """The stack, how its API is reached, and what it was made of when it started."""

    stack: Stack
    address: tuple[str, int]
    key: str
    status: dict[str, Any]
    api: psutil.Process


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One API, one worker and one Triton with the synthetic engine."""
    stack = Stack(tmp_path_factory.mktemp("hostile"), **SETTINGS).up("--engine", "synthetic")
    url = urlsplit(stack.credentials["url"])
    assert url.hostname
    assert url.port
    status = stack.status
    api = psutil.Process(next(each["pid"] for each in status["processes"] if each["name"] == "api-0"))
    _fill(stack)
    yield Target(stack, (url.hostname, url.port), stack.credentials["api_key"], status, api)
    stack.down()


def _fill(stack: Stack) -> None:
    """Ask for the largest that is taken, a few times: allocators keep what they had at once."""
    credentials = stack.credentials
    texts = [f"{place}-" + "x" * 8000 for place in range(1900)]
    body = {"model": "synthetic", "input": texts, "dimensions": 8}
    with httpx.Client(headers={"Authorization": f"Bearer {credentials['api_key']}"}, timeout=60) as client:
        for _ in range(4):
            client.post(f"{credentials['url']}/v1/embeddings", json=body).raise_for_status()


@pytest.fixture(scope="module", autouse=True)
async def _unharmed(target: Target) -> AsyncGenerator[None]:
    """Hold the stack behind each module against what it was before: the same lives, empty, and not grown."""
    before = await witness.state(target.stack)
    yield
    await witness.until_empty(target.status)
    witness.unharmed(before, await witness.state(target.stack))
