"""The worker: owns request partitions, drives engines, appends their words."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from confluent_kafka import KafkaException

from inferno_core import codec
from inferno_core.effects import Committed
from inferno_core.errors import InfernoError
from inferno_core.records import QueueRecord, ReplyRecord
from inferno_core.settings import KafkaSettings, WorkerSettings
from inferno_stream import background, kafka, membership, topics
from inferno_stream.admin import Admin
from inferno_stream.background import Tasks
from inferno_stream.engine import Engine
from inferno_stream.fairness import Turns
from inferno_stream.membership import Member
from inferno_stream.metrics import Metrics
from inferno_stream.owner import Owner
from inferno_stream.producer import LogProducer, OnAck
from inferno_stream.reader import Lost, Read, Reader
from inferno_stream.replies import Replies
from inferno_stream.scan import Scanner, Search
from inferno_stream.tracing import NoTracer, Tracer

logger = logging.getLogger(__name__)

_HOUSEKEEPING_S = 0.25
_RETRY_S = 0.2
_FLUSH_S = 2.0


class Worker:
    """One worker process. It is also the ground that its owners stand on."""

    def __init__(
        self,
        kafka_settings: KafkaSettings,
        settings: WorkerSettings,
        engine: Engine,
        metrics: Metrics,
        tracer: Tracer | None = None,
        *,
        name: str,
    ) -> None:
        self.engine = engine
        self.metrics = metrics
        self.tracer: Tracer = tracer or NoTracer()
        self.topic = self.queue = kafka_settings.queue_topic
        self._kafka = kafka_settings
        self._slots = settings.slots
        self._name = name
        self._owners: dict[int, Owner] = {}
        self._assigned: set[int] = set()
        self._committed: dict[int, Committed] = {}
        self._turns = Turns()
        self._is_taking = False
        self._stopping = False
        self._tasks = Tasks()
        self._producer: LogProducer | None = None
        """None from a producer's failure until all partitions have begun again: nothing is appended meanwhile."""
        self._replies = Replies(self._append_reply_record)
        self._trouble: str | None = "This worker has not joined its group yet."
        engine.subscribe(self.changed)

    @property
    def healthy(self) -> str | None:
        """None, or a sentence that says what is wrong."""
        return self._trouble

    async def start(self) -> None:
        """Make the topics where they are missing, and join the group. Raises `Unavailable` if Kafka is away."""
        log = await topics.ensure(self._kafka)
        # Epochs are offsets: those of two logs that share an engine's host must not be compared.
        self.queue = f"{log.incarnation.hex()}/{self._kafka.queue_topic}"
        bootstrap = self._kafka.bootstrap_servers
        self._admin = Admin(bootstrap, self._name)
        self._producer = self._new_producer()
        config = kafka.reader(bootstrap, self._name)
        self._scanner = Scanner(config, self._kafka.reply_topic)
        self._reader: Reader[QueueRecord] = Reader(
            config, self._kafka.queue_topic, codec.decode_queue, self._read, self._lost
        )
        self._member = Member(
            kafka.member(
                bootstrap,
                self._name,
                membership.group_of(self._kafka.queue_topic),
                self._kafka.session_timeout_ms,
            ),
            self._kafka.queue_topic,
            self._assign,
            self._revoke,
            self._uncommitted,
            _stuck,
        )
        self._tasks.spawn(self._keep_house())

    async def stop(self) -> None:
        """Take nothing more, let go of what runs, commit, and leave the group."""
        self._stopping = True
        await self._revoke(list(self._assigned))
        await self._member.close()
        await self._tasks.cancel()
        await self._scanner.close()
        await self._reader.close()
        if self._producer is not None:
            await self._producer.close(_FLUSH_S)

    # What the group decides.

    def _assign(self, partitions: Sequence[int]) -> None:
        self._trouble = None
        if self._stopping:
            return
        self._assigned.update(partitions)
        for p in partitions:
            self._begin(p)

    def _begin(self, p: int) -> None:
        if old := self._owners.pop(p, None):
            old.close()
        owner = self._owners[p] = Owner(p, self._name, self)
        self.metrics.partitions.set(len(self._owners))
        owner.assigned()

    async def _revoke(self, partitions: Sequence[int]) -> None:
        """Say what is ready and let go; the next owner goes on with what ran."""
        self._assigned.difference_update(partitions)
        self._replies.flush()
        for p in partitions:
            if owner := self._owners.pop(p, None):
                self._commit(owner)
                owner.close()
            self._committed.pop(p, None)
            self._reader.unassign(p)
        self.metrics.partitions.set(len(self._owners))

    def step_down(self, owner: Owner, reason: str) -> None:
        """End `owner`; begin again under a new epoch if p is still assigned."""
        if self._owners.get(owner.p) is not owner:
            return
        logger.warning("partition %d: stepped down: %s", owner.p, reason)
        self.metrics.step_downs.inc()
        owner.close()
        del self._owners[owner.p]
        self._reader.unassign(owner.p)
        if owner.p in self._assigned:
            self._begin(owner.p)

    # The ground that owners stand on.

    def append_queue(self, p: int, record: QueueRecord, on_ack: OnAck | None) -> None:
        """Append to request partition `p`."""
        self._append(self._kafka.queue_topic, p, codec.encode_queue(record), on_ack or _ignore)

    def append_reply(self, r: int, record: ReplyRecord, on_ack: OnAck | None) -> None:
        """Append to reply partition `r`, together with what else is said in this turn of the loop."""
        self._replies.add(r, record, on_ack)

    def read_from(self, p: int, offset: int) -> None:
        """Feed the owner of `p` with its records from `offset` on."""
        self._reader.assign(p, offset)

    def search(self, r: int, search: Search) -> None:
        """Read reply partition `r` again."""
        self._scanner.search(r, search)

    def fetch_committed(self, owner: Owner, epoch: int) -> None:
        """Answer with `owner.begin`."""
        self._tasks.spawn(self._fetch_committed(owner, epoch))

    def changed(self) -> None:
        """Something waits, or there is room: take what can be taken, once in this turn of the loop."""
        if not self._is_taking and not self._stopping:
            self._is_taking = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self._is_taking = False
        self._rehouse()
        room = self._slots - sum(owner.running for owner in self._owners.values())
        if room <= 0:
            return
        waiting = ((owner, request) for owner in self._owners.values() for request in owner.waiting())
        for owner, request in self._turns.order(waiting):
            if not room:
                break
            if place := self.engine.find(request, claimed=owner.claimed(request)):
                self._turns.served(request)
                owner.take(request, place)
                room -= 1

    def _rehouse(self) -> None:
        """Runs that lost their engine come first."""
        for owner in list(self._owners.values()):
            for run in owner.homeless:
                if place := self.engine.find(run.request, goes_on=run.given):
                    owner.move(run, place)

    async def _fetch_committed(self, owner: Owner, epoch: int) -> None:
        while self._owners.get(owner.p) is owner:
            try:
                place = await membership.committed(self._admin, self._kafka.queue_topic, owner.p)
            except KafkaException as error:
                logger.warning("partition %d: what is committed can't be read: %s", owner.p, error)
                await asyncio.sleep(_RETRY_S)
            else:
                owner.begin(epoch, place)
                return

    # To and from Kafka.

    def _read(self, batch: Sequence[Read[QueueRecord]]) -> None:
        records: dict[int, list[tuple[int, QueueRecord]]] = {}
        for p, offset, record in batch:
            if record is None:
                self.metrics.malformed.inc()
            else:
                records.setdefault(p, []).append((offset, record))
        for p, some in records.items():
            if owner := self._owners.get(p):
                owner.read(some)

    def _lost(self, lost: Lost) -> None:
        """The place is no longer in the log, so it is older than any deadline. Begin again where the log does."""
        logger.error("partition %d of the queue can't be read where it was left: %s", lost.partition, lost.reason)
        if owner := self._owners.get(lost.partition):
            self.step_down(owner, lost.reason)

    def _append_reply_record(self, r: int, value: bytes, on_ack: OnAck) -> None:
        self._append(self._kafka.reply_topic, r, value, on_ack)

    def _append(self, topic: str, partition: int, value: bytes, on_ack: OnAck) -> None:
        producer = self._producer
        if producer is None:
            return
        try:
            producer.append(topic, partition, value, on_ack, partial(self._renew, producer))
        except InfernoError as error:
            self._renew(producer, error.message)

    def _new_producer(self) -> LogProducer:
        config = kafka.producer(self._kafka.bootstrap_servers, self._name, timeout_ms=0)
        return LogProducer(config, on_fatal=self._renew)

    def _renew(self, failed: LogProducer, reason: str) -> None:
        """Rule 9: one lost record would be a hole for ever, so all begins again with a new producer and new epochs.

        Until then nothing is appended, least of all what owners say under their old epochs.
        """
        if failed is not self._producer or self._stopping:
            return
        logger.error("the producer failed, so every partition begins again: %s", reason)
        self._producer = None
        self._tasks.spawn(failed.abandon())
        asyncio.get_running_loop().call_soon(self._begin_again, reason)

    def _begin_again(self, reason: str) -> None:
        if self._stopping:
            return
        self._replies.clear()
        self._producer = self._new_producer()
        for owner in list(self._owners.values()):
            self.step_down(owner, reason)

    # Once in a while.

    async def _keep_house(self) -> None:
        """Watch deadlines, commit what is done, and look for room that hosts gained."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_HOUSEKEEPING_S)
            for owner in list(self._owners.values()):
                owner.expire(loop.time())
                self._commit(owner)
            self._count()
            self.changed()

    def _commit(self, owner: Owner) -> None:
        place = owner.committable
        if place is not None and place != self._committed.get(owner.p):
            self._committed[owner.p] = place
            self._member.commit(owner.p, place)

    def _uncommitted(self, partitions: Sequence[int]) -> None:
        """These commits were not taken: what is done there is committed again."""
        for p in partitions:
            self._committed.pop(p, None)

    def _count(self) -> None:
        self.metrics.publish()
        self.metrics.running.set(sum(owner.running for owner in self._owners.values()))
        self.metrics.waiting.set(sum(1 for owner in self._owners.values() for _ in owner.waiting()))


def _stuck() -> None:
    """Called in a thread: nothing can be put in order here any more."""
    background.end_process("the event loop makes no progress")


def _ignore(offset: int) -> None:
    """Nobody waits for this one: it is read back."""
