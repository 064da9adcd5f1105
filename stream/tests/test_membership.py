import asyncio
from collections.abc import Sequence

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from log_platform import Until
from msgspec import json

from inferno_core.effects import Committed
from inferno_core.settings import KafkaSettings
from inferno_stream import background, kafka, membership, topics
from inferno_stream.admin import Admin
from inferno_stream.membership import Member
from inferno_stream.producer import LogProducer

pytestmark = pytest.mark.stack


class Hearer:
    """What a member is told."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.stuck = False
        self.refusals: list[int] = []

    def assigned(self, partitions: Sequence[int]) -> None:
        self.held.update(partitions)

    async def revoked(self, partitions: Sequence[int]) -> None:
        self.held.difference_update(partitions)

    def refused(self, partitions: Sequence[int]) -> None:
        self.refusals += partitions

    def is_stuck(self) -> None:
        self.stuck = True


def join(settings: KafkaSettings, hearer: Hearer, name: str) -> Member:
    group = membership.group_of(settings.queue_topic)
    config = kafka.member(settings.bootstrap_servers, name, group, settings.session_timeout_ms)
    return Member(config, settings.queue_topic, hearer.assigned, hearer.revoked, hearer.refused, hearer.is_stuck)


async def test_members_share_the_partitions_and_hand_them_over(settings: KafkaSettings, until: Until) -> None:
    await topics.ensure(settings)
    one, two = Hearer(), Hearer()
    first = join(settings, one, "one")
    await until(lambda: one.held == {0, 1, 2, 3})
    second = join(settings, two, "two")
    await until(lambda: len(one.held) == len(two.held) == 2 and not one.held & two.held)
    await first.close()
    assert one.held == set()
    await until(lambda: two.held == {0, 1, 2, 3})
    await second.close()
    assert not one.stuck


async def test_a_commit_keeps_its_place_and_epoch(settings: KafkaSettings, until: Until) -> None:
    await topics.ensure(settings)
    admin = Admin(settings.bootstrap_servers, "test")
    assert await membership.committed(admin, settings.queue_topic, 0) == Committed()
    hearer = Hearer()
    member = join(settings, hearer, "one")
    await until(lambda: hearer.held)
    member.commit(0, Committed(7, 5))
    await member.close()
    assert await membership.committed(admin, settings.queue_topic, 0) == Committed(7, 5)


async def test_a_place_that_retention_took_is_where_the_log_begins(settings: KafkaSettings) -> None:
    await topics.ensure(settings)
    producer = LogProducer(kafka.producer(settings.bootstrap_servers, "test", timeout_ms=5000))
    for _ in range(5):
        await producer.send(settings.queue_topic, 0, b"old")
    await producer.close(1.0)
    library = AdminClient(kafka.client(settings.bootstrap_servers, "test"))
    for deleted in library.delete_records([TopicPartition(settings.queue_topic, 0, 3)]).values():
        await asyncio.wrap_future(deleted)
    admin = Admin(settings.bootstrap_servers, "test")
    assert await membership.committed(admin, settings.queue_topic, 0) == Committed(3)


async def test_a_thread_that_fails_ends_the_process(monkeypatch: pytest.MonkeyPatch, until: Until) -> None:
    ends: list[str] = []
    monkeypatch.setattr(background, "end_process", lambda reason, error=None: ends.append(reason))
    member = join(KafkaSettings(bootstrap_servers="127.0.0.1:1"), Hearer(), "one")
    member._orders.put(lambda: json.decode("{"))
    await until(lambda: ends == ["the thread group-member failed"])
    await member.close()


async def test_a_commit_that_the_group_refuses_is_told(settings: KafkaSettings, until: Until) -> None:
    await topics.ensure(settings)
    hearer = Hearer()
    member = join(settings, hearer, "one")
    await until(lambda: hearer.held)
    beyond = settings.queue_partitions + 7
    member.commit(beyond, Committed(1, 0))
    await until(lambda: hearer.refusals == [beyond])
    await member.close()
