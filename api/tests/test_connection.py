import asyncio
from typing import Any

import pytest

from inferno_api.wire.connection import ClientGone, held
from inferno_core.errors import DeadlineExceeded


def receiving(*messages: dict[str, Any]) -> Any:
    """What a server hands over, then silence."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        return await asyncio.Future()

    return receive


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


async def test_a_block_ends_when_the_client_goes() -> None:
    with pytest.raises(ClientGone):
        async with held(receiving(part(b""), GONE), 10):
            await asyncio.Future()


async def test_a_block_ends_at_its_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        async with held(receiving(), 0.01):
            await asyncio.Future()


async def test_a_block_that_is_done_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with held(receiving(), 10):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_the_blocks_own_time_outs_are_its_own() -> None:
    with pytest.raises(TimeoutError):
        async with held(receiving(), 10):
            raise TimeoutError


async def test_cancelling_from_outside_is_not_a_hang_up() -> None:
    async def work() -> None:
        async with held(receiving(), 10):
            await asyncio.Future()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
