"""The API's way to Kafka: requests go to the queue topic, and one tail of one reply partition feeds all followers."""

import asyncio
import secrets
import time
import zlib
from collections.abc import Coroutine, Sequence
from itertools import count

from confluent_kafka import KafkaException

from inferno_core import address, codec
from inferno_core.address import Address
from inferno_core.errors import Unavailable
from inferno_core.records import Detach, ReplyRecord
from inferno_core.settings import ApiSettings, KafkaSettings
from inferno_stream import kafka, topics
from inferno_stream.admin import Admin
from inferno_stream.edge import Draft
from inferno_stream.follower import Follower
from inferno_stream.producer import LogProducer
from inferno_stream.reader import Lost, Read, Reader
from inferno_stream.topics import Log

_PRODUCE_TIMEOUT_MS = 5_000
_REFRESH_S = 1.0
_FLUSH_S = 5.0


class KafkaEdge:
    """The `Edge` on Kafka. `name` decides which reply partition is tailed, where no setting does.

    `id_key` signs the ids of generations.
    """

    def __init__(self, settings: KafkaSettings, api: ApiSettings, *, name: str, id_key: bytes) -> None:
        self._settings = settings
        self._api = api
        self._name = name
        self._id_key = id_key
        self._followers: dict[str, Follower] = {}
        self._known: dict[int, int] = {}
        self._spread = count(secrets.randbelow(1 << 16))
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble: str | None = "The token log is not read yet."

    @property
    def healthy(self) -> str | None:
        """None, or a sentence that says what is wrong."""
        return self._trouble

    async def start(self) -> None:
        """Make the topics where they are missing, and tail this replica's reply partition from its end."""
        self._log: Log = await topics.ensure(self._settings)
        bootstrap = self._settings.bootstrap_servers
        self._r = self._api.reply_partition
        if self._r < 0:
            self._r = zlib.crc32(self._name.encode()) % self._log.reply_partitions
        config = kafka.producer(bootstrap, self._name, timeout_ms=_PRODUCE_TIMEOUT_MS)
        self._producer = LogProducer(config, on_fatal=self._renew)
        self._admin = Admin(bootstrap, self._name)
        self._reader: Reader[list[ReplyRecord]] = Reader(
            kafka.reader(bootstrap, self._name),
            self._settings.reply_topic,
            codec.decode_reply,
            self._dispatch,
            self._lost,
        )
        await self._tail()
        self._trouble = None
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Stop following; tell the log about readers that have left, for as long as `_FLUSH_S` allows."""
        for task in self._tasks:
            task.cancel()
        await self._reader.close()
        await self._producer.close(_FLUSH_S)

    async def submit(self, draft: Draft) -> Follower:
        """Ask for a generation and follow it.

        Raises:
            Unavailable: if too many are open, Kafka is away, or it is not known whether it took the request.

        """
        if len(self._followers) >= self._api.max_waiting:
            raise Unavailable("Too many generations are open here; try again soon.", retry_after_s=5)
        p = next(self._spread) % self._log.queue_partitions
        id = address.issue(self._place(p), draft.surface, draft.tenant, self._id_key)
        follower = Follower(id, secrets.token_hex(8), self._leave)
        request = codec.encode_queue(draft.request(id, follower.reader, int(time.time() * 1000)))
        self._followers[id] = follower
        sent = asyncio.ensure_future(self._append(p, request))
        try:
            await asyncio.shield(sent)
        except asyncio.CancelledError:
            # The caller went away while Kafka's answer was under way: nobody listens, if the request stands at all.
            self._spawn(self._leave_after(sent, follower))
            raise
        except Unavailable:
            del self._followers[id]
            raise
        return follower

    def _place(self, p: int) -> Address:
        return Address(
            incarnation=self._log.incarnation,
            topic=0,
            p=p,
            known=self._known.get(p, 0),
            r=self._r,
            reply_from=self._reader.position(self._r),
        )

    async def _append(self, p: int, value: bytes) -> None:
        offset = await self._producer.send(self._settings.queue_topic, p, value)
        self._known[p] = max(self._known.get(p, 0), offset + 1)

    async def _leave_after(self, sent: "asyncio.Future[None]", follower: Follower) -> None:
        """Rule 11: only who knows that the request stands in p may speak of it there."""
        try:
            await sent
        except Unavailable:
            self._followers.pop(follower.id, None)
        else:
            await follower.aclose()

    def _leave(self, follower: Follower) -> None:
        self._followers.pop(follower.id, None)
        if not follower.ended:
            self._spawn(self._detach(Detach(follower.id, follower.reader)))

    async def _detach(self, record: Detach) -> None:
        """Say that a reader left, for as often as Kafka does not take it: an engine may be working for nobody."""
        p, value = address.locate(record.id).p, codec.encode_queue(record)
        while True:
            try:
                await self._append(p, value)
            except Unavailable:
                await asyncio.sleep(_REFRESH_S)
            else:
                return

    def _dispatch(self, batch: Sequence[Read[list[ReplyRecord]]]) -> None:
        followers = self._followers
        for read in batch:
            for record in read.record or ():
                if follower := followers.get(record.id):
                    follower.feed(record)

    def _lost(self, lost: Lost) -> None:
        """The log no longer holds what this reader was to read: its followers can't be told a whole story."""
        for follower in list(self._followers.values()):
            follower.cut(Unavailable("The token log was cut under this reader; ask again.", retry_after_s=1))
        self._spawn(self._tail())

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

    def _renew(self, reason: str) -> None:
        """Rule 9: a producer that failed for good is replaced."""
        old = self._producer
        config = kafka.producer(self._settings.bootstrap_servers, self._name, timeout_ms=_PRODUCE_TIMEOUT_MS)
        self._producer = LogProducer(config, on_fatal=self._renew)
        self._spawn(old.abandon())

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

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
