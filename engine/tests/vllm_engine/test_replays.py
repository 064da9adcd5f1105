import asyncio
import threading
import time
from collections.abc import Generator, Iterator

import pytest
from inferno_backend.vllm_engine import replays as replays_module
from inferno_backend.vllm_engine.replays import Replays

from inferno_core.errors import EngineFailed, InvalidRequest


@pytest.fixture
def replays() -> Iterator[Replays]:
    made = Replays()
    yield made
    made.close()


def work(pieces: int, piece_s: float = 0.0, threads: set[int] | None = None) -> Generator[None, None, int]:
    for _ in range(pieces):
        until = time.thread_time() + piece_s
        while time.thread_time() < until:
            pass
        if threads is not None:
            threads.add(threading.get_ident())
        yield
    return pieces


async def test_all_run_in_one_thread_which_is_not_the_callers(replays: Replays):
    threads: set[int] = set()
    assert await asyncio.gather(*(replays.run(work(pieces, 0.001, threads)) for pieces in (30, 0, 7))) == [30, 0, 7]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_long_one_holds_up_no_short_one(replays: Replays):
    long = asyncio.create_task(replays.run(work(100_000, 0.005)))
    assert await asyncio.wait_for(replays.run(work(6, 0.005)), 5) == 6
    assert not long.done()
    long.cancel()


async def test_one_that_nobody_wants_any_more_ends(replays: Replays):
    pieces = 0

    def endless() -> Generator[None, None, None]:
        nonlocal pieces
        while True:
            pieces += 1
            yield

    running = asyncio.create_task(replays.run(endless()))
    await replays.run(work(3, 0.005))
    assert pieces
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await replays.run(work(3, 0.005))
    before = pieces
    await replays.run(work(3, 0.005))
    assert pieces == before


async def test_one_that_takes_too_much_cpu_is_given_up(replays: Replays, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replays_module, "MOST_S", 0.05)
    with pytest.raises(EngineFailed, match="CPU"):
        await replays.run(work(1_000_000, 0.005))


async def test_what_goes_wrong_in_it_is_told(replays: Replays):
    def refusing() -> Generator[None, None, None]:
        yield
        raise InvalidRequest("No.")

    with pytest.raises(InvalidRequest):
        await replays.run(refusing())
