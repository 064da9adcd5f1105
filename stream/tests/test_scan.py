import asyncio

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from inferno_core import codec
from inferno_core.acceptance import History
from inferno_core.records import Final, Frame, Outcome
from inferno_core.settings import KafkaSettings
from inferno_stream import kafka, scan, topics
from inferno_stream.producer import LogProducer
from inferno_stream.scan import Scanner, Search

pytestmark = pytest.mark.stack


async def write(settings: KafkaSettings, ids: list[str], count: int) -> int:
    """Append `count` frames of each id in turn; give the last offset."""
    producer = LogProducer(kafka.producer(settings.bootstrap_servers, "test", timeout_ms=5000))
    offset = -1
    for index in range(count):
        (value,) = codec.encode_frames(Frame(id, 1, 0, index, [index], b"{}") for id in ids)
        offset = await producer.send(settings.reply_topic, 0, value)
    await producer.close(1.0)
    return offset


async def test_many_searches_share_passes_and_each_stops_at_its_offset(settings: KafkaSettings) -> None:
    await topics.ensure(settings)
    last = await write(settings, ["a", "b"], 20)
    scanner = Scanner(kafka.reader(settings.bootstrap_servers, "test"), settings.reply_topic)
    found: dict[str, asyncio.Future[History]] = {id: asyncio.get_running_loop().create_future() for id in ("a", "b")}
    for id, stop in (("a", last), ("b", 9)):
        scanner.search(0, Search(id, 0, stop, found[id].set_result, lambda final: None))
    async with asyncio.timeout(10):
        assert (await found["a"]).next == {0: 20}
        assert (await found["b"]).next == {0: 10}


async def test_what_the_log_no_longer_holds_is_said(settings: KafkaSettings) -> None:
    await topics.ensure(settings)
    scanner = Scanner(kafka.reader(settings.bootstrap_servers, "test"), settings.reply_topic)
    failed: asyncio.Future[Final] = asyncio.get_running_loop().create_future()
    scanner.search(0, Search("a", 1000, 2000, lambda history: None, failed.set_result))
    async with asyncio.timeout(10):
        assert (await failed).outcome is Outcome.HISTORY_EXPIRED


async def test_a_search_that_is_out_of_reach_does_not_fail_the_others(settings: KafkaSettings) -> None:
    await topics.ensure(settings)
    last = await write(settings, ["a"], 5)
    library = AdminClient(kafka.client(settings.bootstrap_servers, "test"))
    for deleted in library.delete_records([TopicPartition(settings.reply_topic, 0, 2)]).values():
        await asyncio.wrap_future(deleted)
    scanner = Scanner(kafka.reader(settings.bootstrap_servers, "test"), settings.reply_topic)
    failed: asyncio.Future[Final] = asyncio.get_running_loop().create_future()
    found: asyncio.Future[History] = asyncio.get_running_loop().create_future()
    scanner.search(0, Search("old", 0, last, pytest.fail, failed.set_result))
    scanner.search(0, Search("a", 2, last, found.set_result, pytest.fail))
    async with asyncio.timeout(10):
        assert (await failed).outcome is Outcome.HISTORY_EXPIRED
        await found


async def test_a_library_that_fails_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(config: object) -> None:
        raise KafkaException(KafkaError(KafkaError._FAIL))

    monkeypatch.setattr(scan, "Consumer", refuse)
    failed: asyncio.Future[Final] = asyncio.get_running_loop().create_future()
    Scanner({}, "replies").search(0, Search("a", 0, 9, pytest.fail, failed.set_result))
    async with asyncio.timeout(10):
        assert (await failed).outcome is Outcome.FAILED


class Passing:
    """A message that tells of an error that passes."""

    def error(self) -> KafkaError:
        return KafkaError(KafkaError._TRANSPORT)


def test_an_error_that_passes_leaves_the_position() -> None:
    assert scan._apply(Passing(), 7, {}, {}) == 7  # type: ignore[arg-type]  # what the library would give
