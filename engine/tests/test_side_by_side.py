import asyncio

import pytest

from inferno_engine.side_by_side import side_by_side


async def test_the_first_to_fail_ends_the_others():
    cancelled = asyncio.Event()

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def fails() -> None:
        raise LookupError("Here.")

    with pytest.raises(LookupError):
        await side_by_side(goes_on(), fails())
    assert cancelled.is_set()


async def test_cancelling_reaches_all():
    ended: list[int] = []

    async def goes_on(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    task = asyncio.create_task(side_by_side(goes_on(1), goes_on(2)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(ended) == [1, 2]
