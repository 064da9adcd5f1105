from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from fake_host import FakeHost
from fake_triton import FakeTriton

from inferno_stream.engine import HostLost
from inferno_stream.triton import Triton


@pytest_asyncio.fixture
async def nobody() -> AsyncIterator[Triton]:
    """A connection to a host that has gone."""
    async with FakeTriton([]) as gone:
        address = gone.address
    triton = Triton(address, 5.0)
    yield triton
    await triton.close()


async def test_our_backend_has_sessions_and_chat_and_the_stock_one_has_not() -> None:
    async with FakeHost() as ours, FakeTriton([]) as stock:
        for host, tasks in ((ours, ("chat", "completion")), (stock, ("completion",))):
            triton = Triton(host.address, 5.0)
            assert await triton.has_sessions("model", "1") == (host is ours)
            (model,) = await triton.models()
            assert (model.name, model.version, model.tasks) == ("model", "1", tasks)
            await triton.close()


async def test_a_host_that_does_not_answer_is_lost(nobody: Triton) -> None:
    with pytest.raises(HostLost, match="UNAVAILABLE"):
        await nobody.models()
    with pytest.raises(HostLost, match="UNAVAILABLE"):
        await nobody.has_sessions("model", "1")
