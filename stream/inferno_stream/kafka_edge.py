"""The API's way to Kafka: requests go to the queue topic, and one tail of one reply partition feeds all followers."""

import asyncio
import logging
import secrets
import time
import zlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import count

from confluent_kafka import KafkaException
from msgspec.structs import replace

from inferno_core import address, codec
from inferno_core.address import Address
from inferno_core.errors import InvalidRequest, Unavailable
from inferno_core.records import Detach, ReplyRecord
from inferno_core.settings import ApiSettings, KafkaSettings
from inferno_stream import kafka, topics
from inferno_stream.admin import Admin
from inferno_stream.background import Tasks
from inferno_stream.edge import Draft
from inferno_stream.follower import Follower, Sink
from inferno_stream.producer import LogProducer
from inferno_stream.reader import Lost, Read, Reader
from inferno_stream.spans import Sending
from inferno_stream.topics import Log
from inferno_stream.tracing import NoTracer, Tracer

logger = logging.getLogger(__name__)

_PRODUCE_TIMEOUT_S = 5.0
_REFRESH_S = 1.0
_FLUSH_S = 5.0


class KafkaEdge:
    """The `Edge` on Kafka. `name` decides which reply partition is tailed, where no setting does.

    `id_key` signs the ids of generations.
    """

    def __init__(
        self, settings: KafkaSettings, api: ApiSettings, tracer: Tracer | None = None, *, name: str, id_key: bytes
    ) -> None:
        self._tracer: Tracer = tracer or NoTracer()
        self._settings = settings
        self._api = api
        self._name = name
        self._id_key = id_key
        self._followers: dict[str, Follower] = {}
        self._known: dict[int, int] = {}
        self._spread = count(secrets.randbelow(1 << 16))
        self._tasks = Tasks()
        self._begun = AsyncExitStack()
        self._trouble: str | None = "The token log is not read yet."

    @property
    def waiting(self) -> int:
        """How many generations are followed here that no engine has taken yet."""
        return sum(follower.head is None for follower in self._followers.values())

    @property
    def healthy(self) -> str | None:
        """None, or a sentence that says what is wrong."""
        return self._trouble

    async def start(self) -> None:
        """Make the topics where they are missing, and tail this replica's reply partition from its end.

        Raises:
            InvalidRequest: if the log has no reply partition of the number that is set.
            Unavailable: if Kafka is away.

        """
        self._log: Log = await topics.ensure(self._settings)
        self._r = self._reply_partition()
        bootstrap = self._settings.bootstrap_servers
        self._producer = self._new_producer()
        self._begun.push_async_callback(self._say_farewell)
        self._admin = Admin(bootstrap, self._name)
        self._reader: Reader[list[ReplyRecord]] = Reader(
            kafka.reader(bootstrap, self._name),
            self._settings.reply_topic,
            codec.decode_reply,
            self._dispatch,
            self._lost,
        )
        self._begun.push_async_callback(self._reader.close)
        self._begun.push_async_callback(self._tasks.cancel)
        await self._tail()
        self._trouble = None
        self._tasks.spawn(self._watch())

    async def stop(self) -> None:
        """Stop following; tell the log about readers that have left, for as long as `_FLUSH_S` allows."""
        await self._begun.aclose()

    async def _say_farewell(self) -> None:
        await self._producer.close(_FLUSH_S)

    async def submit(self, draft: Draft, sink: Sink | None = None) -> Follower:
        """Ask for a generation and follow it.

        Raises:
            TooLarge: if the log takes no request of that size.
            Unavailable: if too many are open, Kafka is away, or it is not known whether it took the request.

        """
        if len(self._followers) >= self._api.max_open:
            raise Unavailable("Too many generations are open here; try again soon.", retry_after_s=5)
        p = next(self._spread) % self._log.queue_partitions
        id = address.issue(self._place(p), draft.surface, draft.tenant, self._id_key)
        follower = Follower(id, secrets.token_hex(8), self._leave, sink)
        sending = Sending(self._tracer, draft.trace)
        draft = replace(draft, trace=sending.traceparent)
        request = codec.encode_queue(draft.request(id, follower.reader, int(time.time() * 1000)))
        self._followers[id] = follower
        sent = self._producer.send(self._settings.queue_topic, p, request, sending.headers)
        sent.add_done_callback(partial(sending.done, self._settings.queue_topic, p, id))
        try:
            self._stands(p, await _acknowledged(sent))
        except BaseException:
            # The caller is gone, or is told that it failed: nobody listens, should the request stand all the same.
            self._followers.pop(id, None)
            self._tasks.spawn(self._leave_after(sent, follower))
            raise
        return follower

    def _reply_partition(self) -> int:
        chosen, count = self._api.reply_partition, self._log.reply_partitions
        if chosen >= count:
            raise InvalidRequest(
                f"INFERNO_API__REPLY_PARTITION is {chosen}, but {self._settings.reply_topic!r} has the partitions 0 to "
                f"{count - 1}. Set one of them, or -1 to have one chosen; replicas may share one."
            )
        return chosen if chosen >= 0 else zlib.crc32(self._name.encode()) % count

    def _place(self, p: int) -> Address:
        return Address(
            incarnation=self._log.incarnation,
            topic=0,
            p=p,
            known=self._known.get(p, 0),
            r=self._r,
            reply_from=self._reader.position(self._r),
        )

    def _stands(self, p: int, offset: int) -> None:
        self._known[p] = max(self._known.get(p, 0), offset + 1)

    async def _leave_after(self, sent: "asyncio.Future[int]", follower: Follower) -> None:
        """Rule 11: only who knows that the request stands in p may speak of it there."""
        await asyncio.wait([sent])
        if not sent.cancelled() and sent.exception() is None:
            await self._detach(Detach(follower.id, follower.reader))

    def _leave(self, follower: Follower) -> None:
        self._followers.pop(follower.id, None)
        if not follower.ended:
            self._tasks.spawn(self._detach(Detach(follower.id, follower.reader)))

    async def _detach(self, record: Detach) -> None:
        """Say that a reader left, for as often as Kafka does not take it: an engine may be working for nobody."""
        p, value = address.locate(record.id).p, codec.encode_queue(record)
        while True:
            try:
                self._stands(p, await self._producer.send(self._settings.queue_topic, p, value))
            except Unavailable:
                await asyncio.sleep(_REFRESH_S)
            else:
                return

    def _dispatch(self, batch: Sequence[Read[list[ReplyRecord]]]) -> None:
        followers = self._followers
        fed: dict[str, Follower] = {}
        for read in batch:
            for record in read.record or ():
                if follower := followers.get(record.id):
                    follower.feed(record)
                    fed[record.id] = follower
        for follower in fed.values():
            follower.flush()

    def _lost(self, lost: Lost) -> None:
        """The log no longer holds what this reader was to read: its followers can't be told a whole story."""
        for follower in list(self._followers.values()):
            follower.cut(Unavailable("The token log was cut under this reader; ask again.", retry_after_s=1))
        self._tasks.spawn(self._tail())

    async def _tail(self) -> None:
        while True:
            try:
                self._reader.assign(self._r, await self._end())
            except KafkaException as error:
                self._trouble = kafka.away(self._settings.bootstrap_servers, kafka.error_of(error))
                await asyncio.sleep(_REFRESH_S)
            else:
                return

    async def _end(self) -> int:
        return (await self._admin.ends(self._settings.reply_topic, [self._r]))[self._r]

    def _new_producer(self) -> LogProducer:
        timeout_ms = int(_PRODUCE_TIMEOUT_S * 1000)
        config = kafka.producer(self._settings.bootstrap_servers, self._name, timeout_ms=timeout_ms)
        return LogProducer(config, on_fatal=self._renew)

    def _renew(self, failed: LogProducer, reason: str) -> None:
        """Rule 9: a producer that failed for good is replaced."""
        if failed is self._producer:
            logger.error("the producer failed and is replaced: %s", reason)
            self._producer = self._new_producer()
            self._tasks.spawn(failed.abandon())

    async def _watch(self) -> None:
        """Know how far the queue goes, so that owners need not look for what can't be there; and whether Kafka is."""
        while True:
            await asyncio.sleep(_REFRESH_S)
            try:
                await self._refresh()
            except KafkaException as error:
                self._trouble = kafka.away(self._settings.bootstrap_servers, kafka.error_of(error))
            else:
                self._trouble = None

    async def _refresh(self) -> None:
        ends = await self._admin.ends(self._settings.queue_topic, range(self._log.queue_partitions))
        for p, offset in ends.items():
            self._known[p] = max(self._known.get(p, 0), offset)


async def _acknowledged(sent: "asyncio.Future[int]") -> int:
    """Give the offset. Raises what `sent` failed with, and `Unavailable` where nothing is known for long."""
    await asyncio.wait([sent], timeout=_PRODUCE_TIMEOUT_S)
    if not sent.done():
        message = f"Kafka did not confirm this request within {_PRODUCE_TIMEOUT_S:g} s; try again soon."
        raise Unavailable(message, retry_after_s=1)
    return sent.result()
