"""Belonging to the group that shares the queue's partitions: what this worker is assigned, and its commits."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from confluent_kafka import Consumer, TopicPartition
from msgspec import DecodeError, json

from inferno_core.effects import Committed
from inferno_stream import background, kafka
from inferno_stream.admin import Admin

_POLL_S = 0.25
_LOOP_S = 5.0
"""A loop that makes no turn for this long, in seconds, is not alive: its partitions must go to another worker."""
_RELEASE_S = 2.0


class Member:
    """A worker's membership: it is told of assignments and reads nothing.

    `on_assigned` and `on_revoked` are called in the loop; a partition goes to another worker once `on_revoked` has
    ended; `on_refused` when a commit was not taken. The client's poll, without which the group takes everything away,
    is called only while the loop is alive (rule 9); `on_stuck` is called in the thread when it is not.
    """

    def __init__(
        self,
        config: kafka.Config,
        topic: str,
        on_assigned: Callable[[Sequence[int]], None],
        on_revoked: Callable[[Sequence[int]], Awaitable[None]],
        on_refused: Callable[[Sequence[int]], None],
        on_stuck: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._topic = topic
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_stuck = on_stuck
        self._on_refused = on_refused
        self._consumer = Consumer({**config, "on_commit": self._committed})
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = background.thread("group-member", self._run)

    def commit(self, p: int, committed: Committed) -> None:
        """Commit a place in `p`, soon. A commit that the group refuses, since p is no longer ours, is void."""
        self._orders.put(partial(self._commit, p, committed))

    async def close(self) -> None:
        """Leave the group, so that others get the partitions at once."""
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        while not self._closing.is_set():
            if not self._is_loop_alive():
                self._on_stuck()
                return
            self._consumer.poll(_POLL_S)
            self._obey()
        self._obey()
        self._consumer.close()

    def _obey(self) -> None:
        with suppress(Empty):
            while True:
                self._orders.get_nowait()()

    def _is_loop_alive(self) -> bool:
        """Ask twice: a process that was stopped as a whole finds its first time-out passed when it goes on."""
        return self._turns() or self._turns()

    def _turns(self) -> bool:
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(_LOOP_S)

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        consumer.incremental_assign(places)
        consumer.pause(places)
        self._loop.call_soon_threadsafe(self._on_assigned, [place.partition for place in places])

    def _committed(self, error: object, places: list[TopicPartition]) -> None:
        refused = [place.partition for place in places if error is not None or place.error is not None]
        if refused:
            self._loop.call_soon_threadsafe(self._on_refused, refused)

    def _revoked(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        released = asyncio.run_coroutine_threadsafe(self._release(places), self._loop)
        with suppress(NotInTime):
            released.result(_RELEASE_S)
        self._obey()
        consumer.incremental_unassign(places)

    async def _release(self, places: Sequence[TopicPartition]) -> None:
        await self._on_revoked([place.partition for place in places])

    def _commit(self, p: int, committed: Committed) -> None:
        metadata = json.encode(committed).decode()
        place = TopicPartition(self._topic, p, committed.offset, metadata=metadata)
        self._consumer.commit(offsets=[place], asynchronous=True)


def group_of(topic: str) -> str:
    """Name the group of all workers that share the queue `topic`."""
    return f"{topic}-workers"


async def committed(admin: Admin, topic: str, p: int) -> Committed:
    """Fetch what is committed for `p`, and the epoch in its metadata; raises `KafkaException`.

    What retention took away, while nobody owned p, lies before the place that is given.
    """
    start = (await admin.starts(topic, [p]))[p]
    place = await admin.committed(group_of(topic), topic, p)
    if place is None:
        return Committed(start)
    return Committed(max(place.offset, start), _epoch(place.metadata))


def _epoch(metadata: str) -> int:
    try:
        return json.decode(metadata, type=Committed).epoch
    except DecodeError:
        return -1
