"""Looking for what was already said: one pass over a reply partition answers many takers-over (rule 4)."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec import Struct

from inferno_core import codec
from inferno_core.acceptance import History
from inferno_core.codec import MalformedRecord
from inferno_core.records import Failure, Final, Outcome
from inferno_stream import kafka
from inferno_stream.background import Tasks

logger = logging.getLogger(__name__)

_BUDGET_BYTES = 1 << 30
_DEADLINE_S = 60.0
_POLL_S = 0.5
_BATCH = 500


class Search(Struct, frozen=True):
    """Where the words of `id` can lie, `stop` included, and who wants them: one of the two is called in the loop."""

    id: str
    start: int
    stop: int
    on_found: Callable[[History], None]
    on_failed: Callable[[Final], None]


class Scanner:
    """Reads reply partitions again, one pass at a time each; what is asked for meanwhile shares the next one.

    A pass that can't be finished fails those who made it begin where it did; the others are looked for again.
    """

    def __init__(self, config: kafka.Config, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._asked: dict[int, list[Search]] = {}
        self._busy: set[int] = set()
        self._tasks = Tasks()
        self._closing = threading.Event()

    def search(self, r: int, search: Search) -> None:
        """Begin to look in reply partition `r`."""
        self._asked.setdefault(r, []).append(search)
        if r not in self._busy:
            self._busy.add(r)
            self._tasks.spawn(self._pass_over(r))

    async def close(self) -> None:
        """Look no longer; what was asked for stays without an answer."""
        self._closing.set()
        await self._tasks.cancel()

    async def _pass_over(self, r: int) -> None:
        while searches := self._asked.pop(r, None):
            await self._answer(r, searches)
        self._busy.discard(r)

    async def _answer(self, r: int, searches: Sequence[Search]) -> None:
        try:
            histories = await asyncio.to_thread(self._read, r, searches)
        except _OutOfReach as error:
            start = min(search.start for search in searches)
            for search in searches:
                if search.start > start:
                    self.search(r, search)
                else:
                    search.on_failed(error.final)
        else:
            for search in searches:
                search.on_found(histories[search.id])

    def _read(self, r: int, searches: Sequence[Search]) -> dict[str, History]:
        """Read from the lowest start to the highest stop, in a thread."""
        start, stop = min(search.start for search in searches), max(search.stop for search in searches)
        stops = {search.id: search.stop for search in searches}
        histories = {search.id: History() for search in searches}
        deadline = time.monotonic() + _DEADLINE_S
        budget = _BUDGET_BYTES
        with _reading(self._config, TopicPartition(self._topic, r, start)) as consumer:
            position = start
            while position <= stop:
                for message in _next(consumer):
                    position = _apply(message, position, stops, histories)
                    budget -= len(message.value() or b"")
                if time.monotonic() > deadline or budget < 0 or self._closing.is_set():
                    raise _OutOfReach(_too_much())
        return histories


@contextmanager
def _reading(config: kafka.Config, place: TopicPartition) -> Generator[Consumer]:
    """Read from `place` in the block; what the client library refuses puts it out of reach."""
    try:
        with closing(Consumer(config)) as consumer:
            consumer.assign([place])
            yield consumer
    except KafkaException as error:
        logger.warning("partition %d of the replies can't be read again: %s", place.partition, error)
        raise _OutOfReach(_too_much()) from error


def _next(consumer: Consumer) -> list[Message]:
    first = consumer.poll(_POLL_S)
    return [] if first is None else [first, *consumer.consume(_BATCH, 0)]


def _apply(message: Message, position: int, stops: dict[str, int], histories: dict[str, History]) -> int:
    """Let one record count where it is asked for; give the offset after it. A passing error leaves `position`."""
    if error := message.error():
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise _OutOfReach(_expired())
        return position
    offset = message.offset()
    assert offset is not None
    try:
        records = codec.decode_reply(message.value() or b"")
    except MalformedRecord:
        records = []
    for record in records:
        if offset <= stops.get(record.id, -1):
            histories[record.id].read(record)
    return offset + 1


class _OutOfReach(Exception):
    """What was said can't be read any more: the generation ends with `final`."""

    def __init__(self, final: Final) -> None:
        super().__init__(final.outcome)
        self.final = final


def _expired() -> Final:
    message = "What was said of this generation is older than the log keeps; ask again."
    return Final(Outcome.HISTORY_EXPIRED, Failure("worker_lost", message))


def _too_much() -> Final:
    message = "What was said of this generation could not be read again in time; ask again."
    return Final(Outcome.FAILED, Failure("worker_lost", message))
