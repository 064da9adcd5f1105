import asyncio
from collections.abc import Callable

import pytest
from log_platform import MakeDraft, Until
from msgspec import structs

from inferno_core.acceptance import History
from inferno_core.effects import EngineFrame
from inferno_core.errors import InfernoError, InvalidRequest, Unavailable
from inferno_core.records import Final, Frame, Request
from inferno_stream.engine import Hearer, HostLeft, HostLost, Order, Place, Receipt
from inferno_stream.fake import FakeEngine, FakeFlight, Step, words
from inferno_stream.runs import Run
from inferno_stream.spans import Journey
from inferno_stream.tracing import NoTracer


class Driver:
    """Hears what a run says."""

    def __init__(self) -> None:
        self.frames: list[EngineFrame] = []
        self.lost = 0
        self.failed: list[Final] = []

    def on_frame(self, run: Run, frame: EngineFrame) -> None:
        self.frames.append(frame)

    def on_lost(self, run: Run) -> None:
        self.lost += 1

    def on_failed(self, run: Run, final: Final) -> None:
        self.failed.append(final)


Begin = Callable[..., Run]


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def begin(draft: MakeDraft, driver: Driver) -> Begin:
    def make(engine: FakeEngine, *, history: History | None = None, **deadlines: float) -> Run:
        request = draft(**deadlines).request("id", "reader", 0)
        assert engine.place is not None
        run = Run(engine, request, engine.place, driver, journey(request))
        run.start(Order(request, "queue/0", 1, history))
        return run

    return make


def journey(request: Request) -> Journey:
    return Journey(NoTracer(), request, "queue", 0, takeover=False)


def answer(request: Request) -> list[Step]:
    return words("a", "b", "c")


async def test_passes_each_frame_on_and_ends(begin: Begin, driver: Driver, until: Until) -> None:
    run = begin(FakeEngine(answer))
    await until(lambda: run.ended)
    assert len(driver.frames) == 3
    assert run.given


class Settled:
    """Counts receipts that were settled."""

    def __init__(self) -> None:
        self.count = 0

    def receipt(self) -> Receipt:
        return Receipt(0.0, self._settle)

    def _settle(self) -> None:
        self.count += 1


async def test_a_receipt_is_settled_once_the_log_has_its_frame(begin: Begin) -> None:
    run = begin(FakeEngine(answer, pace=asyncio.Event().wait))
    settled = Settled()
    for number in range(3):
        run.heard(EngineFrame(0, (number,), b"{}"), settled.receipt())
    assert settled.count == 0
    run.acknowledged(7)
    assert settled.count == 1
    run.release()
    assert settled.count == 3
    run.acknowledged(8)
    assert settled.count == 3


async def test_frames_of_a_lost_engine_hold_nothing_back(begin: Begin, driver: Driver) -> None:
    run = begin(FakeEngine(answer, pace=asyncio.Event().wait))
    settled = Settled()
    run.heard(EngineFrame(0, (1,), b"{}"), settled.receipt())
    run.failed(HostLost("Gone."))
    assert (settled.count, driver.lost, run.place) == (1, 1, None)


async def test_knows_which_phase_lasted_too_long(begin: Begin, driver: Driver, until: Until) -> None:
    gate: asyncio.Queue[None] = asyncio.Queue()
    run = begin(FakeEngine(answer, pace=gate.get), first_token_s=1.0, between_tokens_s=5.0, queue_s=7.0)
    now = asyncio.get_running_loop().time()
    assert run.overdue(now) is None
    assert "first token" in (run.overdue(now + 2) or "")
    gate.put_nowait(None)
    await until(lambda: driver.frames)
    assert run.overdue(now + 2) is None
    assert "further token" in (run.overdue(now + 10) or "")
    run.failed(HostLost("Gone."))
    assert run.overdue(now + 6) is None
    assert "no engine" in (run.overdue(now + 10) or "")


async def test_an_engine_that_waits_for_the_log_is_not_blamed(
    begin: Begin, driver: Driver, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    gate: asyncio.Queue[None] = asyncio.Queue()
    run = begin(FakeEngine(answer, pace=gate.get), between_tokens_s=5.0)
    now = asyncio.get_running_loop().time()
    gate.put_nowait(None)
    await until(lambda: driver.frames)
    monkeypatch.setattr(FakeFlight, "blocked", True)
    assert run.overdue(now + 100) is None
    monkeypatch.setattr(FakeFlight, "blocked", False)
    assert run.overdue(now + 104) is None
    assert "further token" in (run.overdue(now + 106) or "")


async def test_a_host_that_is_full_after_all_is_left_for_another(begin: Begin, driver: Driver) -> None:
    run = begin(FakeEngine(answer, pace=asyncio.Event().wait))
    run.failed(Unavailable("Full."))
    assert (driver.lost, driver.failed) == (1, [])


async def test_a_refusal_keeps_its_code(begin: Begin, driver: Driver, until: Until) -> None:
    begin(FakeEngine(lambda request: [InvalidRequest("no", param="n")]))
    await until(lambda: driver.failed)
    (final,) = driver.failed
    assert final.failure is not None
    assert (final.failure.code, final.failure.param) == ("invalid_request", "n")


@pytest.mark.parametrize(("leave", "stopped"), [(Run.cancel, ["id"]), (Run.release, [])], ids=["cancel", "release"])
async def test_left_it_says_nothing_more(
    begin: Begin, driver: Driver, leave: Callable[[Run], None], stopped: list[str]
) -> None:
    engine = FakeEngine(answer, pace=asyncio.Event().wait)
    run = begin(engine)
    leave(run)
    assert (engine.stopped, engine.released) == (stopped, [] if stopped else ["id"])
    assert driver.frames == []


async def test_only_engines_that_die_with_it_count(begin: Begin, driver: Driver) -> None:
    engine = FakeEngine(answer, pace=asyncio.Event().wait)
    run = begin(engine)

    assert engine.place is not None
    place = engine.place

    def lose(error: InfernoError, then: str = "") -> None:
        run.heard(EngineFrame(0, (1,), b"{}"), Receipt(0.0, lambda: None))
        run.failed(error)
        run.place = structs.replace(place, incarnation=then)
        run.start(Order(run.request, "queue/0", 1))

    for _ in range(20):
        lose(HostLeft("It was retired."), "the first")
        lose(Unavailable("It takes nothing more."), "the first")
    # One that is dying may be asked again, before it is known to.
    for _ in range(3):
        lose(HostLost("It died."), "the first")
    lose(HostLost("It died."), "the second")
    lose(HostLost("It died."), "the third")
    assert (driver.lost, driver.failed) == (45, [])
    lose(HostLost("It died."))
    assert (driver.lost, len(driver.failed)) == (45, 1)


@pytest.mark.parametrize("error", [HostLeft("Gone."), Unavailable("Full.")], ids=["gone", "full"])
async def test_not_every_place_there_is_is_tried_in_vain(begin: Begin, driver: Driver, error: InfernoError) -> None:
    engine = FakeEngine(answer, pace=asyncio.Event().wait)
    run = begin(engine)
    tries = 0
    while not driver.failed:
        run.failed(error)
        run.place = engine.place
        run.start(Order(run.request, "queue/0", 1))
        tries += 1
    assert tries == 8


async def test_a_place_that_was_not_used_is_given_back(draft: MakeDraft, driver: Driver) -> None:
    engine = FakeEngine(answer)
    assert engine.place is not None
    request = draft().request("id", "reader", 0)
    run = Run(engine, request, engine.place, driver, journey(request))
    assert run.overdue(asyncio.get_running_loop().time() + 1e6) is None
    run.cancel()
    assert engine.given_back == [engine.place]
    assert not engine.running


async def test_a_place_that_is_no_more_is_lost_at_once(begin: Begin, driver: Driver) -> None:
    class Gone(FakeEngine):
        def start(self, order: Order, place: Place, hearer: Hearer) -> FakeFlight:
            raise HostLost("Gone.")

    run = begin(Gone(answer))
    assert driver.lost == 1
    assert run.place is None


async def test_words_of_an_engine_that_does_not_go_on_end_with_it(begin: Begin, driver: Driver) -> None:
    engine = FakeEngine(answer, pace=asyncio.Event().wait)
    assert engine.place is not None
    engine.place = structs.replace(engine.place, goes_on=False)
    run = begin(engine)
    run.heard(EngineFrame(0, (1,), b"{}"), Receipt(0.0, lambda: None))
    run.failed(HostLost("Gone."))
    assert driver.lost == 0
    (final,) = driver.failed
    assert final.failure is not None
    assert final.failure.code == "engine_failed"


async def test_what_was_accepted_before_counts_as_given(begin: Begin) -> None:
    history = History()
    history.frame(Frame("id", 0, 0, 0, [1], b"{}"))
    assert begin(FakeEngine(answer), history=history).given
    assert not begin(FakeEngine(answer), history=History()).given
