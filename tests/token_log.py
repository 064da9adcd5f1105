"""Reads the token log of a running stack, for tests that look at what stands there."""

import time
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from inferno_core import address, codec
from inferno_core.records import Frame


def read(bootstrap: str, topic: str, partition: int, start: int, decode: Any, last: Any) -> list[Any]:
    """Read a partition from `start` up to the record that is the last one of interest."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "a test's eyes", "enable.auto.commit": False})
    records: list[Any] = []
    deadline = time.monotonic() + 30
    try:
        consumer.assign([TopicPartition(topic, partition, start)])
        while not any(last(record) for record in records):
            assert time.monotonic() < deadline, f"the end does not stand in {topic}"
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                records += decode(message.value())
    finally:
        consumer.close()
    return records


def said(bootstrap: str, id: str) -> list[Any]:
    """Give the heads and frames of a generation, up to its final one."""
    place = address.locate(id)
    records = read(
        bootstrap, "inferno-response-queue", place.r, place.reply_from, codec.decode_reply,
        lambda record: isinstance(record, Frame) and record.id == id and record.final is not None,
    )  # fmt: skip
    return [record for record in records if record.id == id]
