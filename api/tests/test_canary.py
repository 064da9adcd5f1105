"""The canary over a scripted log: what proves that the platform answers, and what it says where nothing does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from inferno_api.exchange import Exchange
from inferno_api.telemetry import canary
from inferno_api.telemetry.canary import PLATFORM, Canary
from inferno_core.errors import EngineFailed, Unavailable
from inferno_core.settings import ApiSettings


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(world: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Canary]:
    monkeypatch.setattr(canary, "_LOOK_S", 0.001)

    def make(every_s: float = 10.0) -> Canary:
        settings = ApiSettings(canary_every_s=every_s, canary_limit_s=60.0)
        return Canary(world.edge, world.parts.catalogue, world.parts.metrics, settings, clock=clock)

    return make


@asynccontextmanager
async def running(bird: Canary) -> AsyncIterator[None]:
    task = asyncio.create_task(bird.run())
    try:
        yield
    finally:
        task.cancel()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.001)


async def test_one_token_is_asked_for_where_nobody_asks(make: Any, world: Any, clock: Clock) -> None:
    bird = make()
    assert bird.problem() == "waiting for the first answer"
    async with running(bird):
        await until(lambda: bird.problem() is None)
        assert len(world.edge.submitted) == 1
        clock.now += 9.0
        await asyncio.sleep(0.01)
        assert len(world.edge.submitted) == 1
        clock.now += 1.0
        await until(lambda: len(world.edge.submitted) == 2)
    (asked, _) = world.edge.submitted
    assert (asked.tenant, asked.store, asked.max_tokens, asked.model) == (PLATFORM, "none", 1, "smollm2")
    assert asked.priority > 0
    assert json.loads(asked.body)["messages"]


@pytest.mark.parametrize("tasks", [("completion",), ("embedding",)])
async def test_it_asks_for_what_the_model_does(make: Any, world: Any, tasks: tuple[str, ...]) -> None:
    await world.show(replace(world.models[1], tasks=tasks))
    async with running(make()):
        await until(lambda: world.edge.submitted)
    assert world.edge.submitted[0].surface == tasks[0]


async def test_words_for_anybody_prove_it_too(make: Any, world: Any, clock: Clock) -> None:
    bird = make()
    exchange = Exchange("id")
    with world.parts.metrics.open(exchange):
        exchange.last = clock.now - 5
        assert (bird.problem(), bird.age_s) == (None, 5)
    world.parts.metrics.over(exchange, "unmatched")
    assert bird.age_s == 5
    async with running(bird):
        await asyncio.sleep(0.01)
    assert not world.edge.submitted


async def test_an_old_answer_is_told_with_its_age_and_the_reason(make: Any, world: Any, clock: Clock) -> None:
    bird = make()
    async with running(bird):
        await until(lambda: bird.problem() is None)
        world.script = lambda draft: [EngineFailed("The engine failed at this request; try again.")]
        clock.now += 73
        await until(lambda: bird.problem() and "engine failed" in bird.problem())
    assert bird.problem() == (
        "the last answer is 73 s old, and the limit is 60 s: The engine failed at this request; try again."
    )


async def test_what_can_not_be_submitted_is_tried_again(make: Any, world: Any) -> None:
    answer, failures = world.script, [Unavailable("Kafka is away.")]
    world.script = lambda draft: [failures.pop()] if failures else answer(draft)
    async with running(make()):
        await until(lambda: world.edge.submitted)


async def test_without_a_model_nobody_is_asked(make: Any, world: Any) -> None:
    await world.show()
    async with running(make()):
        await asyncio.sleep(0.01)
    assert not world.edge.submitted


async def test_who_wants_no_canary_has_none(make: Any, world: Any) -> None:
    bird = make(every_s=0)
    await bird.run()
    assert bird.problem() is None
    assert not world.edge.submitted
