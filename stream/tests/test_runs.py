import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import pytest
from log_platform import MakeDraft, Until
from msgspec import structs

from inferno_core.effects import EngineFrame
from inferno_core.errors import InvalidRequest
from inferno_core.records import Final, Request
from inferno_stream.engine import HostLost, Place
from inferno_stream.fake import FakeEngine, Step, words
from inferno_stream.runs import Run


class Listener:
    """Hears what a run says."""

    def __init__(self) -> None:
        self.steps: list[Sequence[EngineFrame]] = []
        self.ends: list[Final | None] = []
        self.room = asyncio.Event()
        self.room.set()

    def on_step(self, id: str, step: Sequence[EngineFrame]) -> None:
        self.steps.append(step)

    def on_end(self, id: str, failure: Final | None) -> None:
        self.ends.append(failure)

    async def wait_for_room(self) -> None:
        await self.room.wait()


Begin = Callable[..., Run]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def begin(draft: MakeDraft, listener: Listener) -> Begin:
    def make(engine: FakeEngine, *, max_held: int = 100, **deadlines: float) -> Run:
        request = draft(**deadlines).request("id", "reader", 0)
        place = engine.find(request)
        assert place is not None
        run = Run(engine, request, place, listener.on_step, listener.on_end, listener.wait_for_room, max_held)
        run.start()
        return run

    return make


def answer(request: Request) -> list[Step]:
    return words("a", "b", "c")


async def test_passes_each_step_on_and_ends(begin: Begin, listener: Listener, until: Until) -> None:
    begin(FakeEngine(answer))
    await until(lambda: listener.ends)
    assert len(listener.steps) == 3
    assert listener.ends == [None]


async def test_holds_no_more_than_it_may_until_it_is_spoken(begin: Begin, listener: Listener, until: Until) -> None:
    run = begin(FakeEngine(answer), max_held=2)
    await until(lambda: len(listener.steps) == 2)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(listener.steps) == 2
    run.spoken()
    await until(lambda: listener.ends == [None])


async def test_waits_for_room_without_blaming_the_engine(begin: Begin, listener: Listener, until: Until) -> None:
    listener.room.clear()
    run = begin(FakeEngine(answer), between_tokens_s=1.0)
    await until(lambda: listener.steps)
    assert run.overdue(asyncio.get_running_loop().time() + 100) is None
    listener.room.set()
    await until(lambda: listener.ends == [None])


async def test_knows_which_phase_lasted_too_long(begin: Begin, listener: Listener, until: Until) -> None:
    gate: asyncio.Queue[None] = asyncio.Queue()
    run = begin(FakeEngine(answer, pace=gate.get), first_token_s=1.0, between_tokens_s=5.0)
    now = asyncio.get_running_loop().time()
    assert run.overdue(now) is None
    assert "first token" in (run.overdue(now + 2) or "")
    gate.put_nowait(None)
    await until(lambda: listener.steps)
    assert run.overdue(now + 2) is None
    assert "further token" in (run.overdue(now + 10) or "")
    run.stop()


async def test_a_refusal_keeps_its_code(begin: Begin, listener: Listener, until: Until) -> None:
    begin(FakeEngine(lambda request: [InvalidRequest("no", param="n")]))
    await until(lambda: listener.ends)
    (final,) = listener.ends
    assert final is not None
    assert final.failure is not None
    assert (final.failure.code, final.failure.param) == ("invalid_request", "n")


async def test_words_that_break_off_are_a_failure(begin: Begin, listener: Listener, until: Until) -> None:
    begin(FakeEngine(lambda request: words("a", "b")[:1]))
    await until(lambda: listener.ends)
    (final,) = listener.ends
    assert final is not None
    assert final.failure is not None
    assert final.failure.code == "engine_failed"


async def test_stopped_it_says_nothing_more(begin: Begin, listener: Listener, until: Until) -> None:
    engine = FakeEngine(answer, pace=asyncio.Event().wait)
    run = begin(engine)
    await until(lambda: engine.running)
    run.stop()
    await until(lambda: engine.stopped)
    assert listener.steps == []
    assert listener.ends in ([], [None])


class Counting(FakeEngine):
    """An engine that counts the places given back."""

    released = 0

    def release(self, place: Place) -> None:
        self.released += 1


async def test_it_holds_its_place_until_it_is_stopped_started_or_not(draft: MakeDraft, listener: Listener) -> None:
    engine = Counting(answer)
    assert engine.place is not None
    request = draft().request("id", "reader", 0)
    run = Run(engine, request, engine.place, listener.on_step, listener.on_end, listener.wait_for_room, 1)
    assert run.overdue(asyncio.get_running_loop().time() + 1e6) is None
    assert engine.released == 0
    run.stop()
    assert engine.released == 1
    assert not engine.running


async def test_stopped_after_its_final_frame_it_reads_the_stream_to_its_end(
    begin: Begin, listener: Listener, until: Until
) -> None:
    gate = asyncio.Event()
    read_to_its_end: list[bool] = []

    class Slow(FakeEngine):
        async def generate(self, request: Request, place: Place) -> AsyncGenerator[Step, None]:
            yield words("a")[0]
            await gate.wait()
            read_to_its_end.append(True)

    run = begin(Slow(answer), max_held=1)
    await until(lambda: listener.steps)
    run.stop()
    gate.set()
    await until(lambda: read_to_its_end)
    await until(lambda: listener.ends == [None])


class TwoHosts(FakeEngine):
    """Two hosts, of which the first is lost: before it gave anything, or after."""

    def __init__(self, *, gives: int) -> None:
        super().__init__(answer)
        self.gives = gives
        self.offered = 0
        self.places: list[Place] = []

    def find(self, request: Request) -> Place | None:
        place = super().find(request)
        self.offered += 1
        return place and structs.replace(place, host=f"host-{self.offered}")

    async def generate(self, request: Request, place: Place) -> AsyncGenerator[Sequence[EngineFrame], None]:
        self.places.append(place)
        async with aclosing(super().generate(request, place)) as steps:
            given = 0
            async for step in steps:
                if place.host == "host-1" and given == self.gives:
                    raise HostLost("The host is gone.")
                given += 1
                yield step


async def test_a_host_that_is_lost_before_a_word_is_replaced(begin: Begin, listener: Listener, until: Until) -> None:
    engine = TwoHosts(gives=0)
    run = begin(engine)
    await until(lambda: listener.ends)
    assert listener.ends == [None]
    assert len(listener.steps) == 3
    assert [place.host for place in engine.places] == ["host-1", "host-2"]
    assert run.place.host == "host-2"


async def test_a_host_that_is_lost_after_a_word_ends_the_run(begin: Begin, listener: Listener, until: Until) -> None:
    engine = TwoHosts(gives=1)
    begin(engine)
    await until(lambda: listener.ends)
    (final,) = listener.ends
    assert final is not None
    assert final.failure is not None
    assert final.failure.code == "engine_failed"
    assert len(engine.places) == 1
