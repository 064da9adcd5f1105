import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import pytest
import pytest_asyncio
from log_platform import Until

from inferno_core.codec import MalformedRecord
from inferno_core.errors import Unavailable
from inferno_core.settings import KafkaSettings
from inferno_stream import kafka, topics
from inferno_stream import reader as module
from inferno_stream.producer import LogProducer
from inferno_stream.reader import Lost, Read, Reader

pytestmark = pytest.mark.stack


def decode(value: bytes) -> int:
    if value == b"broken":
        raise MalformedRecord("broken")
    return int(value)


class Heard:
    """What a reader was given."""

    def __init__(self) -> None:
        self.reads: list[Read[int]] = []
        self.lost: list[Lost] = []

    def batch(self, reads: Sequence[Read[int]]) -> None:
        self.reads += reads

    @property
    def records(self) -> list[int | None]:
        return [read.record for read in self.reads]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest_asyncio.fixture
async def producer(settings: KafkaSettings) -> AsyncIterator[LogProducer]:
    await topics.ensure(settings)
    producer = LogProducer(kafka.producer(settings.bootstrap_servers, "test", timeout_ms=5000))
    yield producer
    await producer.close(1.0)


@pytest_asyncio.fixture
async def reader(settings: KafkaSettings, heard: Heard, producer: LogProducer) -> AsyncIterator[Reader[int]]:
    config = kafka.reader(settings.bootstrap_servers, "test")
    reader = Reader(config, settings.queue_topic, decode, heard.batch, heard.lost.append)
    yield reader
    await reader.close()


async def test_reads_from_where_it_is_told_and_again(
    reader: Reader[int], producer: LogProducer, heard: Heard, settings: KafkaSettings, until: Until
) -> None:
    offsets = [await producer.send(settings.queue_topic, 0, str(number).encode()) for number in range(5)]
    assert offsets == [0, 1, 2, 3, 4]
    reader.assign(0, 2)
    await until(lambda: heard.records == [2, 3, 4])
    assert reader.position(0) == 5
    reader.assign(0, 0)
    await until(lambda: heard.records == [2, 3, 4, 0, 1, 2, 3, 4])
    reader.unassign(0)
    reader.assign(1, 0)
    await producer.send(settings.queue_topic, 0, b"7")
    await producer.send(settings.queue_topic, 1, b"8")
    await until(lambda: heard.records[-1] == 8)
    assert 7 not in heard.records


async def test_what_is_no_record_keeps_its_place(
    reader: Reader[int], producer: LogProducer, heard: Heard, settings: KafkaSettings, until: Until
) -> None:
    for value in (b"0", b"broken", b"2"):
        await producer.send(settings.queue_topic, 0, value)
    reader.assign(0, 0)
    await until(lambda: heard.records == [0, None, 2])


async def test_a_place_that_is_not_in_the_log_is_lost(reader: Reader[int], heard: Heard, until: Until) -> None:
    reader.assign(0, 1000)
    await until(lambda: heard.lost)
    assert heard.lost[0].partition == 0


async def test_records_stand_in_the_order_of_their_appends(
    reader: Reader[int], producer: LogProducer, heard: Heard, settings: KafkaSettings, until: Until
) -> None:
    acked: list[int] = []
    for number in range(5000):
        producer.append(settings.queue_topic, 0, str(number).encode(), acked.append, pytest.fail)
    reader.assign(0, 0)
    await until(lambda: len(acked) == 5000 and len(heard.records) == 5000)
    assert acked == list(range(5000)) == heard.records


async def test_a_fate_that_is_unknown_is_an_error() -> None:
    config = kafka.producer("127.0.0.1:1", "test", timeout_ms=300)
    producer = LogProducer(config)
    with pytest.raises(Unavailable):
        async with asyncio.timeout(10):
            await producer.send("nowhere", 0, b"1")
    await producer.abandon()


async def test_an_append_that_finds_no_room_is_refused_at_once() -> None:
    config = kafka.producer("127.0.0.1:1", "test", timeout_ms=300_000) | {"queue.buffering.max.messages": 2}
    producer = LogProducer(config)
    for _ in range(2):
        producer.append("nowhere", 0, b"1", lambda offset: None, lambda reason: None)
    with pytest.raises(Unavailable, match="waits for Kafka"):
        producer.append("nowhere", 0, b"1", lambda offset: None, lambda reason: None)
    await producer.abandon()


async def test_it_reads_no_further_than_a_few_batches_ahead_of_the_loop(
    reader: Reader[int],
    producer: LogProducer,
    heard: Heard,
    settings: KafkaSettings,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting: deque[Callable[[], None]] = deque()
    monkeypatch.setattr(module, "_BATCH", 1)
    monkeypatch.setattr(reader, "_hand_over", lambda callback, *args: waiting.append(partial(callback, *args)))
    for number in range(50):
        producer.append(settings.queue_topic, 0, str(number).encode(), lambda offset: None, pytest.fail)
    reader.assign(0, 0)
    await until(lambda: len(waiting) == module._BATCHES)
    await until(lambda: reader._room._value == 0)
    assert len(waiting) == module._BATCHES
    while len(heard.records) < 50:
        await until(lambda: waiting)
        assert len(waiting) <= module._BATCHES
        waiting.popleft()()
    assert heard.records == list(range(50))
