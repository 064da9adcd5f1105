"""Tailing partitions from explicit offsets: a thread waits for records, the loop gets them in batches."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from inferno_core.codec import MalformedRecord
from inferno_stream import background, kafka

T = TypeVar("T")

_POLL_S = 0.1
_BATCH = 500
_BATCHES = 4
"""How many batches may wait for the loop; the thread reads no further until it has taken one."""


class Read(NamedTuple, Generic[T]):
    """One record: where it stands and what it says; None where it is no record of this log."""

    partition: int
    offset: int
    record: T | None


class Lost(NamedTuple):
    """A partition can't be read on from where its reader stood, because `reason`."""

    partition: int
    reason: str


class Reader(Generic[T]):
    """Reads partitions of one topic, each from where it is told, in order and without a gap.

    `on_batch` is called in the loop with what came, once a batch; `on_lost` when the log no longer holds the place.
    A broker that goes away and comes back is a pause. Records are decoded in the thread.
    """

    def __init__(
        self,
        config: kafka.Config,
        topic: str,
        decode: Callable[[bytes], T],
        on_batch: Callable[[Sequence[Read[T]]], None],
        on_lost: Callable[[Lost], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._topic = topic
        self._decode = decode
        self._on_batch = on_batch
        self._on_lost = on_lost
        self._next: dict[int, int] = {}
        self._begun: set[int] = set()
        self._consumer = Consumer(config)
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._held: set[int] = set()
        self._room = threading.Semaphore(_BATCHES)
        self._closing = threading.Event()
        self._thread = background.thread(f"{topic}-reader", self._run)

    def assign(self, partition: int, offset: int) -> None:
        """Begin to read `partition` at `offset`; what came of it before is forgotten."""
        self._next[partition] = offset
        self._begun.discard(partition)
        self._orders.put(partial(self._hold, partition, offset))

    def unassign(self, partition: int) -> None:
        """Read `partition` no longer."""
        self._next.pop(partition, None)
        self._orders.put(partial(self._release, partition))

    def position(self, partition: int) -> int:
        """The offset up to which `on_batch` has been given `partition`."""
        return self._next[partition]

    async def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    # What follows runs in the thread, until it hands over to the loop: while one thread waits in the client's poll,
    # every other call into the same consumer has to wait for it.

    def _run(self) -> None:
        while not self._closing.is_set():
            with suppress(Empty):
                self._orders.get(timeout=0.0 if self._held else _POLL_S)()
                continue
            first = self._consumer.poll(_POLL_S if self._held else 0)
            if first is not None:
                self._deliver([first, *self._consumer.consume(_BATCH, 0)])
        self._consumer.close()

    def _hold(self, partition: int, offset: int) -> None:
        self._release(partition)
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, offset)])
        self._held.add(partition)

    def _release(self, partition: int) -> None:
        if partition in self._held:
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
            self._held.discard(partition)

    def _deliver(self, messages: Sequence[Message]) -> None:
        batch = [read for message in messages if (read := self._read(message)) is not None]
        if batch and self._wait_for_room():
            self._hand_over(self._pass_on, batch)

    def _wait_for_room(self) -> bool:
        while not self._closing.is_set():
            if self._room.acquire(timeout=_POLL_S):
                return True
        return False

    def _pass_on(self, batch: Sequence[Read[T]]) -> None:
        """Give on what follows, in the loop. Records of a former assignment may still have been on their way."""
        self._room.release()
        if fresh := [read for read in batch if self._follows(read)]:
            self._on_batch(fresh)

    def _follows(self, read: Read[T]) -> bool:
        expected = self._next.get(read.partition)
        if expected is None or read.offset < expected:
            return False
        if read.offset > expected and read.partition not in self._begun:
            return False
        self._begun.add(read.partition)
        self._next[read.partition] = read.offset + 1
        return True

    def _read(self, message: Message) -> Read[T] | None:
        partition, offset, value = message.partition(), message.offset(), message.value()
        error = message.error()
        if error is not None:
            if error.code() in _GONE and partition is not None:
                self._hand_over(self._on_lost, Lost(partition, error.str()))
            return None
        assert partition is not None
        assert offset is not None
        try:
            return Read(partition, offset, self._decode(value or b""))
        except MalformedRecord:
            return Read(partition, offset, None)

    def _hand_over(self, callback: Callable[..., Any], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)


_GONE = frozenset((KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION))
