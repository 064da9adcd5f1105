import asyncio
import time

import pytest

from inferno_api.exchange import Exchange
from inferno_api.responses.backstop import SLACK_S, backstop
from inferno_core.errors import DeadlineExceeded
from inferno_core.records import Deadlines, Head, Tenant
from inferno_stream.edge import Follower

HEAD = Head("i", 0, "chat", 1, 1, False, Tenant("o", "p", "k"), "", "m", "3", "f")
PAST = -SLACK_S


def follower() -> Follower:
    return Follower("i", "r", lambda follower: None)


async def cut_after(exchange: Exchange, deadlines: Deadlines) -> str:
    """Wait until the backstop cuts, and give what it says."""
    followed = follower()
    with backstop(followed, exchange, deadlines), pytest.raises(DeadlineExceeded) as late:
        async with asyncio.timeout(5):
            await followed.next(5)
    assert late.value.should_retry is False
    return late.value.message


async def test_a_request_that_no_worker_takes_is_given_up() -> None:
    assert "No engine took the request" in await cut_after(Exchange("r"), Deadlines(queue_s=PAST + 0.05))


async def test_a_generation_of_which_nothing_more_is_heard_is_given_up() -> None:
    silent = Deadlines(queue_s=PAST + 0.02, first_token_s=0.02, between_tokens_s=0.01)
    exchange = Exchange("r", head=HEAD, first=time.perf_counter(), last=time.perf_counter())
    assert "Nothing more is heard" in await cut_after(exchange, silent)


async def test_the_whole_time_bounds_them_all() -> None:
    assert await cut_after(Exchange("r", head=HEAD), Deadlines(whole_s=PAST + 0.05))
    assert await cut_after(Exchange("r"), Deadlines(whole_s=PAST + 0.05))


async def test_words_put_the_end_off() -> None:
    exchange, followed = Exchange("r", head=HEAD), follower()
    cut = asyncio.Event()
    loop = asyncio.get_running_loop()
    silent = Deadlines(queue_s=PAST + 0.05, first_token_s=0.05, between_tokens_s=0.05)
    with backstop(followed, exchange, silent):
        began = time.perf_counter()
        exchange.last = began + 0.2
        loop.call_later(0.05, cut.set)
        with pytest.raises(DeadlineExceeded):
            await followed.next(5)
    assert cut.is_set()
    assert time.perf_counter() - began > 0.25


async def test_an_answer_that_is_over_is_left_alone() -> None:
    followed = follower()
    with backstop(followed, Exchange("r"), Deadlines(queue_s=PAST + 0.01)):
        pass
    assert list(await followed.next(0.05)) == []
