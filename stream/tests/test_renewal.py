"""A worker whose producer fails, on producers that keep what they are given."""

import asyncio
from collections.abc import Callable

import pytest
from log_platform import MakeDraft

from inferno_core import codec
from inferno_core.errors import Unavailable
from inferno_core.records import Epoch, Frame, Request
from inferno_core.settings import KafkaSettings, WorkerSettings
from inferno_stream import worker as module
from inferno_stream.fake import FakeEngine
from inferno_stream.metrics import Metrics
from inferno_stream.owner import Owner
from inferno_stream.producer import OnAck, OnFail
from inferno_stream.worker import Worker


class FakeProducer:
    """Keeps what is appended; refuses it while `refuses`."""

    def __init__(self, config: object, on_fatal: Callable[["FakeProducer", str], None]) -> None:
        self.fail = on_fatal
        self.values: list[bytes] = []
        self.refuses = False
        self.abandoned = False

    def append(self, topic: str, partition: int, value: bytes, on_ack: OnAck, on_fail: OnFail) -> None:
        if self.refuses:
            raise Unavailable("fenced")
        self.values.append(value)

    async def abandon(self) -> None:
        self.abandoned = True


class NoReader:
    """A reader of nothing."""

    def unassign(self, partition: int) -> None:
        """Nothing is read."""


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker that owns two partitions and has not joined a group."""
    monkeypatch.setattr(module, "LogProducer", FakeProducer)
    engine = FakeEngine(lambda request: [])
    worker = Worker(KafkaSettings(), WorkerSettings(slots=1), engine, Metrics(), name="worker-0")
    worker._producer = worker._new_producer()
    worker._reader = NoReader()  # type: ignore[assignment]  # what stands for one
    worker._assign([0, 1])
    return worker


def producer_of(worker: Worker) -> FakeProducer:
    assert isinstance(worker._producer, FakeProducer)
    return worker._producer


def frame(index: int) -> Frame:
    return Frame("id", 1, 0, index, [index], b"{}")


async def test_nothing_of_an_old_epoch_leaves_on_the_new_producer(worker: Worker) -> None:
    old = producer_of(worker)
    worker.append_reply(0, frame(0), None)
    old.fail(old, "fenced")
    worker.append_reply(0, frame(1), None)
    worker._replies.flush()
    worker.append_reply(0, frame(2), None)
    for _ in range(3):
        await asyncio.sleep(0)
    new = producer_of(worker)
    assert new is not old
    assert old.abandoned
    assert [type(codec.decode_queue(value)) for value in new.values] == [Epoch, Epoch]


async def test_what_a_former_producer_says_later_renews_nothing(worker: Worker) -> None:
    old = producer_of(worker)
    old.fail(old, "fenced")
    old.fail(old, "fenced again")
    await asyncio.sleep(0)
    new = producer_of(worker)
    old.fail(old, "and again")
    await asyncio.sleep(0)
    assert producer_of(worker) is new


async def test_an_append_that_is_refused_begins_all_again(worker: Worker) -> None:
    old = producer_of(worker)
    old.refuses = True
    worker.append_reply(0, frame(0), None)
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(producer_of(worker).values) == 2


async def test_once_there_is_no_room_nobody_else_is_looked_at(
    worker: Worker, draft: MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Request] = []
    waiting = [draft().request(str(number), "reader", 0) for number in range(5)]

    def order(_: object) -> object:
        for request in waiting:
            looked_at.append(request)
            yield worker._owners[0], request

    monkeypatch.setattr(worker._turns, "order", order)
    monkeypatch.setattr(Owner, "take", lambda *_: None)
    worker._take()
    assert len(looked_at) <= 2
