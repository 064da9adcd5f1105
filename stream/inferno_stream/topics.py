"""The two topics of the log: made once, by whichever process comes first, with the settings that the rules need."""

import asyncio
from contextlib import suppress

from confluent_kafka import KafkaException
from msgspec import Struct

from inferno_core import address
from inferno_core.errors import Unavailable
from inferno_core.settings import KafkaSettings
from inferno_stream import kafka
from inferno_stream.admin import Admin

_RETRY_S = 0.1
_LARGEST = "max.message.bytes"

_REQUIRED = {
    "cleanup.policy": "delete",
    "unclean.leader.election.enable": "false",
    "retention.bytes": "-1",
}
"""Without these, records that readers have seen could be gone, each before its time."""


class Log(Struct, frozen=True):
    """A log that is there: which one it is, and how many partitions its topics have."""

    incarnation: bytes
    queue_partitions: int
    reply_partitions: int


class WrongTopic(Unavailable):
    """A topic exists with settings under which the log would not keep its promises."""


async def ensure(settings: KafkaSettings, timeout_s: float = 30.0) -> Log:
    """Make both topics if they are missing, and wait until every partition has a leader.

    Any number of processes may do so at once.

    Raises:
        WrongTopic: if a topic is there with settings that the protocol can't live with.
        Unavailable: if Kafka is away, or leaders are not known within `timeout_s`.

    """
    admin = Admin(settings.bootstrap_servers, "topics")
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


async def _ensure(admin: Admin, settings: KafkaSettings) -> Log:
    wanted = {
        settings.queue_topic: settings.queue_partitions,
        settings.reply_topic: settings.reply_partitions,
    }
    for topic, partitions in wanted.items():
        await admin.create(topic, partitions, settings.replication_factor, _configuration(settings) | _REQUIRED)
        await _widen(admin, topic)
        _check(topic, await admin.configuration(topic))
    queue, reply = [await admin.describe(topic) for topic in wanted]
    return Log(
        incarnation=address.incarnation_of(queue.id, reply.id),
        queue_partitions=queue.partitions,
        reply_partitions=reply.partitions,
    )


async def _widen(admin: Admin, topic: str) -> None:
    """Let a topic that an older version made take records of today's size; where that is forbidden, it is refused."""
    found = await admin.configuration(topic)
    if int(found[_LARGEST]) < kafka.MAX_MESSAGE_BYTES:
        with suppress(KafkaException):
            await admin.configure(topic, _LARGEST, str(kafka.MAX_MESSAGE_BYTES))


def _configuration(settings: KafkaSettings) -> dict[str, str]:
    return {
        "retention.ms": str(settings.retention_hours * 3_600_000),
        _LARGEST: str(kafka.MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(min(2, settings.replication_factor)),
    }


def _check(topic: str, found: dict[str, str]) -> None:
    """Refuse a topic that somebody else made, with settings that break a promise."""
    wrong = [f"{name} is {found[name]}, not {value}" for name, value in _REQUIRED.items() if found[name] != value]
    if int(found[_LARGEST]) < kafka.MAX_MESSAGE_BYTES:
        wrong.append(f"{_LARGEST} is {found[_LARGEST]}, below {kafka.MAX_MESSAGE_BYTES}")
    if wrong:
        raise WrongTopic(
            f"Topic {topic!r} can't hold the log: {'; '.join(wrong)}. Change that with kafka-configs, "
            f"or name another topic in INFERNO_KAFKA__QUEUE_TOPIC and INFERNO_KAFKA__REPLY_TOPIC."
        )
