import asyncio

import pytest

from inferno_core.settings import KafkaSettings
from inferno_stream import kafka, topics
from inferno_stream.admin import Admin
from inferno_stream.topics import WrongTopic

pytestmark = pytest.mark.stack


async def test_many_processes_make_one_log(settings: KafkaSettings) -> None:
    logs = await asyncio.gather(*(topics.ensure(settings) for _ in range(3)))
    assert len({log.incarnation for log in logs}) == 1
    assert (logs[0].queue_partitions, logs[0].reply_partitions) == (4, 2)
    found = await Admin(settings.bootstrap_servers, "test").configuration(settings.queue_topic)
    assert found["retention.ms"] == str(24 * 3_600_000)
    assert found["max.message.bytes"] == str(kafka.MAX_MESSAGE_BYTES)


async def test_a_log_of_an_older_version_takes_larger_records(settings: KafkaSettings) -> None:
    admin = Admin(settings.bootstrap_servers, "test")
    for topic in (settings.queue_topic, settings.reply_topic):
        await admin.create(topic, 1, 1, {"max.message.bytes": str(4 << 20), "cleanup.policy": "delete"})
    await topics.ensure(settings)
    found = await admin.configuration(settings.queue_topic)
    assert found["max.message.bytes"] == str(kafka.MAX_MESSAGE_BYTES)


async def test_a_topic_that_forgets_is_refused(settings: KafkaSettings) -> None:
    admin = Admin(settings.bootstrap_servers, "test")
    await admin.create(settings.reply_topic, 1, 1, {"cleanup.policy": "compact"})
    with pytest.raises(WrongTopic, match=r"cleanup\.policy is compact"):
        await topics.ensure(settings)
