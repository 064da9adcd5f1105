import contextlib
from typing import Any

import httpx
import pytest

from inferno_api.waiting import WaitingRoom
from inferno_core.errors import RateLimited, Unavailable

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_key_may_not_take_all_places() -> None:
    room = WaitingRoom(3, 2)
    with room.enter("a"), room.enter("a"):
        with pytest.raises(RateLimited, match="2 requests of this key"), room.enter("a"):
            pass
        with room.enter("b"):
            assert room.waiting == 3
            with pytest.raises(Unavailable, match="3 requests wait"), room.enter("c"):
                pass
    assert room.waiting == 0


def test_who_was_taken_waits_no_longer() -> None:
    room = WaitingRoom(1, 1)
    with room.enter("a") as first:
        first.taken()
        first.taken()
        assert room.waiting == 0
        with room.enter("a"):
            assert room.waiting == 1
    assert room.waiting == 0


def test_a_place_is_free_again_whatever_happened() -> None:
    room = WaitingRoom(1, 1)
    with pytest.raises(RuntimeError), room.enter("a"):
        raise RuntimeError
    with room.enter("a"):
        pass
    assert room.waiting == 0


def test_no_key_is_remembered() -> None:
    room = WaitingRoom(10, 10)
    for number in range(100):
        with room.enter(str(number)):
            pass
    assert not room._waiting


@pytest.mark.parametrize(("taken", "pause_s", "retry_after_s"), [(0, 1, 30), (10, 1, 5), (1000, 0.005, 1), (2, 14, 70)])
def test_the_pace_of_the_last_half_minute_says_when_to_come_back(
    taken: int, pause_s: float, retry_after_s: int
) -> None:
    clock = Clock()
    room = WaitingRoom(5, 5, clock=clock)
    with room.enter("old") as wait:
        wait.taken()
    clock.now += 31
    for _ in range(taken):
        with room.enter("a") as wait:
            wait.taken()
        clock.now += pause_s
    with room.enter("a"), room.enter("a"), room.enter("a"), room.enter("a"), room.enter("a"):
        with pytest.raises(RateLimited) as caught, room.enter("a"):
            pass
        assert caught.value.retry_after_s == retry_after_s


async def test_clients_are_told_when_to_come_back(client: httpx.AsyncClient, world: Any) -> None:
    room: WaitingRoom = world.parts.waiting
    with contextlib.ExitStack() as waiting:
        for _ in range(100):
            waiting.enter_context(room.enter("key"))
        refused = await client.post("/v1/chat/completions", json=CHAT)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert world.edge.submitted == []


async def test_a_head_ends_the_waiting(client: httpx.AsyncClient, world: Any) -> None:
    for _ in range(3):
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert world.parts.waiting.waiting == 0
    assert len(world.parts.waiting._taken) == 3
