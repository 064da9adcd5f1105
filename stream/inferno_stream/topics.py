"""The two topics of the log: made once, by whichever process comes first, with the settings that the rules need."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] -- its package exports them without saying so
    AdminClient,
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage] -- as above
    NewTopic,  # pyright: ignore[reportPrivateImportUsage] -- as above
    OffsetSpec,  # pyright: ignore[reportPrivateImportUsage] -- as above
    TopicDescription,  # pyright: ignore[reportPrivateImportUsage] -- as above
)
from msgspec import Struct

from inferno_core import address
from inferno_core.errors import Unavailable
from inferno_core.settings import KafkaSettings
from inferno_stream import kafka

_RETRY_S = 0.1
_REQUEST_S = 5.0
_PROBE_S = 2.0


class Log(Struct, frozen=True):
    """A log that is there: which one it is, and how many partitions its topics have."""

    incarnation: bytes
    queue_partitions: int
    reply_partitions: int


class WrongTopic(Exception):
    """A topic exists with settings under which the log would not keep its promises."""


async def ensure(settings: KafkaSettings, timeout_s: float = 30.0) -> Log:
    """Make both topics if they are missing, and wait until every partition has a leader.

    Any number of processes may do so at once.

    Raises:
        WrongTopic: if a topic is there with settings that the protocol can't live with.
        Unavailable: if Kafka is away, or leaders are not known within `timeout_s`.

    """
    admin = AdminClient(kafka.client(settings.bootstrap_servers, "topics"))
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await _ensure(admin, settings)
        except KafkaException as error:
            reason = kafka.error_of(error)
        if loop.time() > deadline:
            raise Unavailable(kafka.away(settings.bootstrap_servers, reason), retry_after_s=1)
        await asyncio.sleep(_RETRY_S)


async def ends(admin: AdminClient, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Give the offset after the last record of each partition; raises `KafkaException`."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] -- the library leaves it untyped
    places = {TopicPartition(topic, partition): latest for partition in partitions}
    found = admin.list_offsets(places, request_timeout=_PROBE_S)
    return {place.partition: (await _result(future)).offset for place, future in found.items()}


async def _ensure(admin: AdminClient, settings: KafkaSettings) -> Log:
    wanted = {
        settings.queue_topic: settings.queue_partitions,
        settings.reply_topic: settings.reply_partitions,
    }
    await _create(admin, settings, wanted)
    await _check(admin, settings, list(wanted))
    queue, reply = [await _describe(admin, topic) for topic in wanted]
    return Log(
        incarnation=address.incarnation_of(str(queue.topic_id), str(reply.topic_id)),
        queue_partitions=len(queue.partitions),
        reply_partitions=len(reply.partitions),
    )


async def _create(admin: AdminClient, settings: KafkaSettings, wanted: dict[str, int]) -> None:
    new = [
        NewTopic(topic, partitions, settings.replication_factor, config=_configuration(settings) | _REQUIRED)
        for topic, partitions in wanted.items()
    ]
    created = admin.create_topics(new, operation_timeout=_REQUEST_S, request_timeout=_REQUEST_S)
    for future in created.values():
        try:
            await _result(future)
        except KafkaException as error:
            if kafka.error_of(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


_REQUIRED = {
    "cleanup.policy": "delete",
    "unclean.leader.election.enable": "false",
    "retention.bytes": "-1",
}
"""Without these, records that readers have seen could be gone, each before its time."""


def _configuration(settings: KafkaSettings) -> dict[str, str]:
    return {
        "retention.ms": str(settings.retention_hours * 3_600_000),
        "max.message.bytes": str(kafka.MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(min(2, settings.replication_factor)),
    }


async def _check(admin: AdminClient, settings: KafkaSettings, topics: list[str]) -> None:
    """Refuse a topic that somebody else made, with settings that break a promise."""
    resources = [ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics]
    described = admin.describe_configs(resources, request_timeout=_REQUEST_S)
    for resource, future in described.items():
        found = {name: entry.value for name, entry in (await _result(future)).items()}
        wrong = [f"{name} is {found[name]}, not {value}" for name, value in _REQUIRED.items() if found[name] != value]
        if int(found["max.message.bytes"]) < kafka.MAX_MESSAGE_BYTES:
            wrong.append(f"max.message.bytes is {found['max.message.bytes']}, below {kafka.MAX_MESSAGE_BYTES}")
        if wrong:
            raise WrongTopic(
                f"Topic {resource.name!r} can't hold the log: {'; '.join(wrong)}. Change it with kafka-configs, "
                f"or name another topic in INFERNO_KAFKA__QUEUE_TOPIC and INFERNO_KAFKA__REPLY_TOPIC."
            )


async def _describe(admin: AdminClient, topic: str) -> TopicDescription:
    futures = admin.describe_topics(TopicCollection([topic]), request_timeout=_REQUEST_S)
    description: TopicDescription = await _result(futures[topic])
    if not all(partition.leader for partition in description.partitions):
        raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    return description


async def _result(future: "Future[Any]") -> Any:
    return await asyncio.wrap_future(future)
