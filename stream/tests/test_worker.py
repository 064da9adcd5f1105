"""The way through a real broker: requests in, words out, and what happens when a part of it dies."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from log_platform import Broker, MakeDraft, Platform, Read, Until
from worker_process import TEXTS, answer

from inferno_core import address, codec
from inferno_core.acceptance import Accepted
from inferno_core.effects import EngineFrame
from inferno_core.errors import Unavailable
from inferno_core.records import Epoch, Final, Frame, Head, Outcome, Request
from inferno_core.settings import KafkaSettings
from inferno_stream import kafka, topics
from inferno_stream.fake import FakeEngine, Step, words
from inferno_stream.producer import LogProducer

pytestmark = pytest.mark.stack


def text(accepted: Sequence[Accepted]) -> str:
    return "".join(json.loads(one.frame.delta)["delta"]["content"] for one in accepted)


def endless() -> FakeEngine:
    return FakeEngine(lambda request: words(*["word"] * 100_000), pace=lambda: asyncio.sleep(0.01))


def silent() -> FakeEngine:
    """An engine that never says anything."""
    return FakeEngine(answer, pace=lambda: asyncio.Event().wait())


async def test_a_hundred_streams_each_token_once_and_in_order(
    platform: Platform, draft: MakeDraft, read: Read, until: Until
) -> None:
    engine = FakeEngine(answer, pace=lambda: asyncio.sleep(0.005))
    worker = await platform.worker(engine)
    edge = await platform.edge()
    followers = [await edge.submit(draft()) for _ in range(100)]
    answers = await asyncio.gather(*(read(follower) for follower in followers))
    for accepted in answers:
        assert [one.token_index for one in accepted] == list(range(50))
        assert [one.frame.index for one in accepted] == list(range(50))
        assert accepted[-1].frame.final is not None
        assert accepted[-1].frame.final.outcome is Outcome.FINISHED
    await until(lambda: not any(owner.running for owner in worker._owners.values()))
    assert not engine.running


async def test_what_waits_is_served_one_project_after_the_other(
    platform: Platform, draft: MakeDraft, read: Read, until: Until
) -> None:
    order: list[str] = []

    def note(request: Request) -> list[Step]:
        order.append(request.tenant.project)
        return words("a")

    engine = FakeEngine(note)
    place, engine.place = engine.place, None
    edge = await platform.edge()
    worker = await platform.worker(engine, slots=1)
    followers = [await edge.submit(draft("busy")) for _ in range(8)]
    followers.append(await edge.submit(draft("quiet")))
    await until(lambda: sum(1 for owner in worker._owners.values() for _ in owner.waiting()) == 9)
    engine.place = place
    worker.changed()
    await asyncio.gather(*(read(follower) for follower in followers))
    assert order.index("quiet") <= 1


async def test_a_reader_that_leaves_stops_the_engine(platform: Platform, draft: MakeDraft, until: Until) -> None:
    engine = endless()
    await platform.worker(engine)
    edge = await platform.edge()
    follower = await edge.submit(draft())
    assert await follower.next(20.0)
    await follower.aclose()
    await until(lambda: engine.stopped == [follower.id])


async def test_grace_lets_the_engine_run_on_for_a_while(platform: Platform, draft: MakeDraft, until: Until) -> None:
    engine = endless()
    await platform.worker(engine)
    edge = await platform.edge()
    follower = await edge.submit(draft(grace_s=0.5))
    assert await follower.next(20.0)
    loop = asyncio.get_running_loop()
    left = loop.time()
    await follower.aclose()
    await until(lambda: engine.stopped == [follower.id])
    assert loop.time() - left >= 0.5


@pytest.mark.parametrize(
    ("engine", "deadlines", "outcome"),
    [
        (None, {"queue_s": 0.3}, Outcome.EXPIRED),
        (silent, {"first_token_s": 0.3}, Outcome.FAILED),
        (endless, {"whole_s": 0.6}, Outcome.FAILED),
    ],
)
async def test_deadlines_end_a_generation(
    platform: Platform,
    draft: MakeDraft,
    read: Read,
    engine: Callable[[], FakeEngine] | None,
    deadlines: dict[str, float],
    outcome: Outcome,
    until: Until,
) -> None:
    machine = engine() if engine else FakeEngine(answer)
    if engine is None:
        machine.place = None
    await platform.worker(machine)
    edge = await platform.edge()
    accepted = await read(await edge.submit(draft(**deadlines)))
    final = accepted[-1].frame.final
    assert final is not None
    assert final.outcome is outcome
    assert final.failure is not None
    assert final.failure.code == "deadline_exceeded"
    await until(lambda: not machine.running)


async def test_a_pause_between_tokens_has_a_deadline(platform: Platform, draft: MakeDraft, read: Read) -> None:
    pauses = iter([0.0, 0.0, 100.0])
    engine = FakeEngine(answer, pace=lambda: asyncio.sleep(next(pauses)))
    await platform.worker(engine)
    edge = await platform.edge()
    accepted = await read(await edge.submit(draft(between_tokens_s=0.3)))
    assert [one.token_index for one in accepted] == [0, 1, -1]
    assert accepted[-1].frame.final is not None
    assert accepted[-1].frame.final.failure is not None
    assert accepted[-1].frame.final.failure.code == "deadline_exceeded"


async def test_an_engine_that_fails_ends_the_generation_with_its_code(
    platform: Platform, draft: MakeDraft, read: Read
) -> None:
    def fail(request: Request) -> list[Step | Unavailable]:
        return [[EngineFrame(0, (1,), b"{}")], Unavailable("no room")]

    await platform.worker(FakeEngine(fail))
    edge = await platform.edge()
    accepted = await read(await edge.submit(draft()))
    assert accepted[-1].frame.final is not None
    assert accepted[-1].frame.final.failure is not None
    assert accepted[-1].frame.final.failure.code == "unavailable"


async def test_a_killed_workers_generations_go_on_without_a_gap(
    platform: Platform, draft: MakeDraft, read: Read
) -> None:
    edge = await platform.edge()
    settings = platform.settings
    first = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("worker_process.py")),
        settings.bootstrap_servers,
        settings.queue_topic,
        settings.reply_topic,
    )
    followers = [await edge.submit(draft()) for _ in range(10)]
    begun = [await follower.next(20.0) for follower in followers]
    assert all(begun)
    first.kill()
    await first.wait()
    engine = FakeEngine(answer)
    worker = await platform.worker(engine, name="worker-1")
    answers = await asyncio.gather(*(read(follower) for follower in followers))
    for first_frames, accepted in zip(begun, answers, strict=True):
        whole = [*first_frames, *accepted]
        assert [one.token_index for one in whole] == list(range(50))
        assert text(whole) == "".join(TEXTS)
        assert whole[-1].frame.final is not None
        assert whole[-1].frame.final.outcome is Outcome.FINISHED
    assert worker.metrics.takeovers._value.get() == 10
    assert all(order.history is not None and order.history.frames for order in engine.orders)
    assert len(await read(await edge.submit(draft()))) == 50


async def test_a_stopped_worker_hands_over_at_once(
    platform: Platform, draft: MakeDraft, read: Read, until: Until
) -> None:
    engine = FakeEngine(answer, pace=lambda: asyncio.sleep(0.02))
    first = await platform.worker(engine, name="worker-0")
    edge = await platform.edge()
    follower = await edge.submit(draft())
    begun = await follower.next(20.0)
    assert begun
    await first.stop()
    assert (engine.released, engine.stopped) == ([follower.id], [])
    await platform.worker(FakeEngine(answer), name="worker-1")
    whole = [*begun, *await read(follower)]
    assert [one.token_index for one in whole] == list(range(50))
    assert text(whole) == "".join(TEXTS)


async def test_an_engine_that_is_lost_is_replaced_without_a_gap(
    platform: Platform, draft: MakeDraft, read: Read, until: Until
) -> None:
    engine = FakeEngine(answer, pace=lambda: asyncio.sleep(0.02))
    worker = await platform.worker(engine)
    edge = await platform.edge()
    followers = [await edge.submit(draft()) for _ in range(10)]
    begun = [await follower.next(20.0) for follower in followers]
    place, engine.place = engine.place, None
    for flight in list(engine.running.values()):
        flight.lose()
    engine.place = place
    worker.changed()
    answers = await asyncio.gather(*(read(follower) for follower in followers))
    for first, accepted in zip(begun, answers, strict=True):
        whole = [*first, *accepted]
        assert [one.token_index for one in whole] == list(range(50))
        assert text(whole) == "".join(TEXTS)
    assert worker.metrics.rebuilds._value.get() == 10


async def test_what_a_former_owner_appends_is_void(
    platform: Platform, draft: MakeDraft, read: Read, settings: KafkaSettings, until: Until
) -> None:
    gate = asyncio.Event()
    await platform.worker(FakeEngine(answer, pace=gate.wait))
    edge = await platform.edge()
    follower = await edge.submit(draft())
    await until(lambda: follower.head)
    zombie = LogProducer(kafka.producer(settings.bootstrap_servers, "zombie", timeout_ms=5000))
    r = address.locate(follower.id).r
    lies = Frame(follower.id, -1, 0, 0, [666], b"lie", final=Final(Outcome.FINISHED))
    for value in codec.encode_frames([lies]):
        await zombie.send(settings.reply_topic, r, value)
    await zombie.close(1.0)
    gate.set()
    accepted = await read(follower)
    assert all(one.frame.delta != b"lie" for one in accepted)
    assert accepted[-1].token_index == 49


async def test_a_higher_epoch_makes_an_owner_step_down_and_begin_again(
    platform: Platform, draft: MakeDraft, read: Read, settings: KafkaSettings, until: Until
) -> None:
    worker = await platform.worker(FakeEngine(answer))
    edge = await platform.edge()
    await read(await edge.submit(draft()))
    other = LogProducer(kafka.producer(settings.bootstrap_servers, "other", timeout_ms=5000))
    for p in range(4):
        await other.send(settings.queue_topic, p, codec.encode_queue(Epoch("other", "nonce")))
    await other.close(1.0)
    await until(lambda: worker.metrics.step_downs._value.get() == 4)
    for _ in range(4):
        assert len(await read(await edge.submit(draft()))) == 50


async def test_a_broker_that_is_killed_and_comes_back_loses_and_repeats_nothing(
    broker: Broker, platform: Platform, draft: MakeDraft, read: Read, until: Until
) -> None:
    await platform.worker(FakeEngine(answer, pace=lambda: asyncio.sleep(0.05)))
    edge = await platform.edge()
    followers = [await edge.submit(draft()) for _ in range(20)]
    await until(lambda: all(follower.head for follower in followers))
    reading = asyncio.gather(*(read(follower) for follower in followers))
    broker.kill()
    await until(lambda: edge.healthy is not None)
    await asyncio.to_thread(broker.start)
    for accepted in await reading:
        assert [one.token_index for one in accepted] == list(range(50))
        assert accepted[-1].frame.final is not None
        assert accepted[-1].frame.final.outcome is Outcome.FINISHED
    await until(lambda: edge.healthy is None)
    assert len(await read(await edge.submit(draft()))) == 50


async def test_engines_tell_the_partitions_of_two_logs_apart(
    platform: Platform, settings: KafkaSettings, until: Until
) -> None:
    engine = FakeEngine(answer)
    await platform.worker(engine)
    log = await topics.ensure(settings)
    await until(lambda: len(engine.fences) == 4)
    assert set(engine.fences) == {f"{log.incarnation.hex()}/{settings.queue_topic}/{p}" for p in range(4)}


async def test_heads_tell_who_speaks(platform: Platform, draft: MakeDraft, read: Read) -> None:
    await platform.worker(FakeEngine(answer))
    edge = await platform.edge()
    follower = await edge.submit(draft())
    await read(follower)
    assert isinstance(follower.head, Head)
    assert follower.head.fingerprint == "fake"
