import asyncio
from typing import Any

import pytest

from inferno_api import connection
from inferno_api.connection import ClientGone, held, read_body
from inferno_core.errors import DeadlineExceeded, InvalidRequest, TooLarge


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


async def read(*messages: dict[str, Any], declared: bytes = b"") -> bytes:
    headers = [(b"content-length", declared)] if declared else []
    return await read_body({"headers": headers}, receiving(*messages), 10)


async def test_a_body_is_read_to_its_end() -> None:
    assert await read(part(b"12345", more=True), part(b"67890")) == b"1234567890"


async def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known() -> None:
    with pytest.raises(TooLarge):
        await read(declared=b"11")
    with pytest.raises(TooLarge):
        await read(part(b"123456", more=True), part(b"123456", more=True))


async def test_a_client_that_leaves_amid_its_body_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read(part(b"1", more=True), GONE)


async def test_a_body_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_TIMEOUT_S", 0.01)
    with pytest.raises(InvalidRequest, match="did not arrive"):
        await read(part(b"1", more=True))


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
