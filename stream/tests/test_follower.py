import asyncio

import pytest

from inferno_core.errors import Unavailable
from inferno_core.records import Final, Frame, Head, Outcome, Tenant
from inferno_stream import follower as module
from inferno_stream.follower import Follower


def frame(index: int, *, epoch: int = 1, final: Final | None = None) -> Frame:
    return Frame("id", epoch, 0, index, [index], b"{}", final=final)


def head(epoch: int) -> Head:
    return Head("id", epoch, "chat", 1, 1, False, Tenant("o", "p", "k"), "", "m", "1", "print")


@pytest.fixture
def left() -> list[Follower]:
    return []


@pytest.fixture
def follower(left: list[Follower]) -> Follower:
    return Follower("id", "reader", left.append)


async def test_gives_what_came_then_what_comes_then_the_end(follower: Follower) -> None:
    follower.feed(head(1))
    follower.feed(frame(0))
    follower.feed(frame(1))
    assert [one.token_index for one in await follower.next(1)] == [0, 1]
    assert follower.head is not None
    asyncio.get_running_loop().call_soon(_batch, follower, frame(2, final=Final(Outcome.FINISHED)))
    assert [one.token_index for one in await follower.next(1)] == [2]
    with pytest.raises(StopAsyncIteration):
        await follower.next(1)


def _batch(follower: Follower, record: Head | Frame) -> None:
    follower.feed(record)
    follower.flush()


async def test_nothing_within_the_time_is_nothing(follower: Follower) -> None:
    assert await follower.next(0.01) == []


async def test_a_head_alone_wakes_nobody(follower: Follower) -> None:
    asyncio.get_running_loop().call_soon(_batch, follower, head(1))
    asyncio.get_running_loop().call_later(0.05, _batch, follower, frame(0))
    assert [one.token_index for one in await follower.next(5)] == [0]


async def test_frames_of_a_former_owner_are_void(follower: Follower) -> None:
    follower.feed(head(5))
    follower.feed(frame(0, epoch=4))
    follower.feed(frame(0, epoch=5))
    assert [one.frame.epoch for one in await follower.next(1)] == [5]


async def test_the_latest_head_is_shown(follower: Follower) -> None:
    for epoch in (1, 3, 2):
        follower.feed(head(epoch))
    assert follower.head == head(3)


async def test_a_slow_reader_is_cut_and_told_where(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_FRAMES", 3)
    follower.feed(frame(0))
    await follower.next(1)
    for index in range(1, 6):
        follower.feed(frame(index))
    with pytest.raises(Unavailable, match="token_index 0"):
        await follower.next(1)


async def test_many_bytes_are_a_lag_too(follower: Follower) -> None:
    follower.feed(Frame("id", 1, 0, 0, [0], b"x" * (module.MAX_BUFFERED_BYTES + 1)))
    with pytest.raises(Unavailable):
        await follower.next(1)


async def test_leaves_once(follower: Follower, left: list[Follower]) -> None:
    await follower.aclose()
    await follower.aclose()
    assert left == [follower]


async def test_cut_off_it_has_left_though_its_task_may_be_stuck(follower: Follower, left: list[Follower]) -> None:
    follower.cut(Unavailable("gone"))
    assert left == [follower]
    await follower.aclose()
    assert left == [follower]


async def test_what_was_told_is_not_forgotten_at_a_frame_without_tokens(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BUFFERED_FRAMES", 1)
    follower.feed(frame(0))
    await follower.next(1)
    follower.feed(Frame("id", 1, 0, 1, [], b"{}"))
    await follower.next(1)
    follower.feed(frame(1))
    follower.feed(frame(2))
    with pytest.raises(Unavailable, match="token_index 0"):
        await follower.next(1)
