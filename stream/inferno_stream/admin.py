"""Asking Kafka about itself: topics, ends of partitions, committed places. Futures become awaitable here."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import confluent_kafka.admin
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicCollection, TopicPartition
from msgspec import Struct

from inferno_stream import kafka

_library: Any = confluent_kafka.admin
"""The library leaves its futures, and what is in them, without types."""

_CHANGE_S = 5.0
_ASK_S = 2.0


class Topic(Struct, frozen=True):
    """A topic as it stands: Kafka's id for it, which changes if it is made anew, and its number of partitions."""

    id: str
    partitions: int


class Place(Struct, frozen=True):
    """What a group committed for a partition."""

    offset: int
    metadata: str


class Admin:
    """Questions to the brokers. Each raises `KafkaException` when it is not answered within seconds."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._config = kafka.client(bootstrap, name)
        self._client: Any = _library.AdminClient(self._config)

    async def create(self, topic: str, partitions: int, replicas: int, config: Mapping[str, str]) -> None:
        """Make a topic, unless it is there."""
        client = self._client
        new = _library.NewTopic(topic, partitions, replicas, config=dict(config))
        made = client.create_topics([new], operation_timeout=_CHANGE_S, request_timeout=_CHANGE_S)
        try:
            await self._result(client, made[topic])
        except KafkaException as error:
            if kafka.error_of(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    async def configuration(self, topic: str) -> dict[str, str]:
        """Give a topic's settings."""
        client = self._client
        resource = _library.ConfigResource(_library.ConfigResource.Type.TOPIC, topic)
        described = client.describe_configs([resource], request_timeout=_CHANGE_S)
        return {name: entry.value for name, entry in (await self._result(client, described[resource])).items()}

    async def configure(self, topic: str, name: str, value: str) -> None:
        """Change one of a topic's settings."""
        client = self._client
        entry = _library.ConfigEntry(name, value, incremental_operation=_library.AlterConfigOpType.SET)
        resource = _library.ConfigResource(_library.ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        altered = client.incremental_alter_configs([resource], request_timeout=_CHANGE_S)
        await self._result(client, altered[resource])

    async def describe(self, topic: str) -> Topic:
        """Give a topic whose partitions all have leaders."""
        client = self._client
        described = client.describe_topics(TopicCollection([topic]), request_timeout=_CHANGE_S)
        found = await self._result(client, described[topic])
        if not all(partition.leader for partition in found.partitions):
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return Topic(str(found.topic_id), len(found.partitions))

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Give the offset after the last record of each partition."""
        return await self._offsets(topic, partitions, _library.OffsetSpec.latest())

    async def starts(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Give the offset of the oldest record that each partition still holds."""
        return await self._offsets(topic, partitions, _library.OffsetSpec.earliest())

    async def _offsets(self, topic: str, partitions: Iterable[int], which: Any) -> dict[int, int]:
        client = self._client
        places = {TopicPartition(topic, partition): which for partition in partitions}
        found = client.list_offsets(places, request_timeout=_ASK_S)
        return {place.partition: (await self._result(client, future)).offset for place, future in found.items()}

    async def committed(self, group: str, topic: str, partition: int) -> Place | None:
        """Give what `group` committed for a partition, if it did."""
        client = self._client
        wanted = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition)])]
        found = client.list_consumer_group_offsets(wanted, request_timeout=_ASK_S)
        (place,) = (await self._result(client, found[group])).topic_partitions
        return Place(place.offset, place.metadata or "") if place.offset >= 0 else None

    async def _result(self, client: Any, future: "Future[Any]") -> Any:
        """Wait for an answer from `client`, which must be kept until then. One that got an error is replaced.

        After a broker's restart the library goes on asking with the leader's old epoch, and is refused for ever.
        """
        try:
            return await asyncio.wrap_future(future)
        except KafkaException:
            if client is self._client:
                self._client = _library.AdminClient(self._config)
            raise
