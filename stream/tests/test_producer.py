"""A producer without a broker: what is refused, and what becomes of records whose fate nobody will tell."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from confluent_kafka import KafkaError, KafkaException

from inferno_core.errors import TooLarge, Unavailable
from inferno_stream import kafka
from inferno_stream.producer import LogProducer


@pytest_asyncio.fixture
async def producer() -> AsyncIterator[LogProducer]:
    producer = LogProducer(kafka.producer("127.0.0.1:1", "test", timeout_ms=0))
    yield producer
    await producer.abandon()


async def test_a_record_over_the_bound_is_too_large_and_says_both(producer: LogProducer) -> None:
    size = kafka.MAX_MESSAGE_BYTES + 1
    with pytest.raises(TooLarge, match=rf"{size} bytes.*{kafka.MAX_MESSAGE_BYTES}"):
        await producer.send("nowhere", 0, b"x" * size)


async def test_a_producer_that_failed_for_good_refuses_as_unavailable(
    producer: LogProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failed:
        def produce(self, *args: object, **options: object) -> None:
            raise KafkaException(KafkaError(KafkaError._FATAL))

    with monkeypatch.context() as patch:
        patch.setattr(producer, "_producer", Failed())
        with pytest.raises(Unavailable, match="_FATAL"):
            await producer.send("nowhere", 0, b"1")


async def test_given_up_it_answers_what_is_under_way(producer: LogProducer) -> None:
    sending = producer.send("nowhere", 0, b"1")
    await producer.abandon()
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="given up"):
            await sending


async def test_a_fatal_error_names_the_producer_that_has_it() -> None:
    class Fatal:
        def fatal(self) -> bool:
            return True

        def str(self) -> str:
            return "fenced"

    told: asyncio.Future[tuple[LogProducer, str]] = asyncio.get_running_loop().create_future()
    config = kafka.producer("127.0.0.1:1", "test", timeout_ms=0)
    producer = LogProducer(config, on_fatal=lambda failed, reason: told.set_result((failed, reason)))
    producer._error(Fatal())  # type: ignore[arg-type]  # what the library would say
    async with asyncio.timeout(5):
        assert await told == (producer, "fenced")
    await producer.abandon()
