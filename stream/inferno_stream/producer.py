"""Appending to the log from an event loop: records leave at once, acknowledgements come back in batches."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from inferno_core.errors import InfernoError, TooLarge, Unavailable
from inferno_stream import background, kafka

OnAck = Callable[[int], None]
"""Called in the loop with the record's offset."""

OnFail = Callable[[str], None]
"""Called in the loop with the reason why the record may not stand in the log."""

Headers = Sequence[tuple[str, bytes]]
"""A record's Kafka headers."""

_POLL_S = 0.5


class LogProducer:
    """One idempotent producer, driven from one event loop.

    Records of one partition stand in the order in which `append` was called. `on_fatal` is called in the loop, with
    this producer and the reason, when it can't be used any longer: abandon it then. A thread waits for deliveries.
    """

    def __init__(self, config: kafka.Config, on_fatal: "Callable[[LogProducer, str], None] | None" = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_fatal = on_fatal
        self._producer = Producer(config | {"error_cb": self._error})
        self._delivered: list[tuple[Callable[..., None], int | str]] = []
        self._sends: set[asyncio.Future[int]] = set()
        self._pending_bytes = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = threading.Event()
        self._dead = False
        self._thread = background.thread("log-producer", self._poll)

    def append(
        self, topic: str, partition: int, value: bytes, on_ack: OnAck, on_fail: OnFail, headers: Headers = ()
    ) -> None:
        """Append `value`; one of the two is called later.

        Raises:
            TooLarge: if the log takes no record of that size.
            Unavailable: if too much waits for Kafka already, or the producer can't be used any longer.

        Nothing was appended then.

        """
        size = len(value)

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._delivered.append((self._acked, size))
            if error is None:
                offset = message.offset()
                assert offset is not None
                self._delivered.append((on_ack, offset))
            else:
                self._delivered.append((on_fail, error.str()))

        try:
            self._producer.produce(
                topic, value=value, partition=partition, on_delivery=delivered, headers=list(headers) or None
            )
        except BufferError as error:
            raise Unavailable("Too much waits for Kafka already; try again soon.", retry_after_s=1) from error
        except KafkaException as error:
            raise _refused(size, kafka.error_of(error)) from error
        self._pending_bytes += size
        self._empty.clear()

    def send(self, topic: str, partition: int, value: bytes, headers: Headers = ()) -> "asyncio.Future[int]":
        """Append `value` at once. What this gives has its offset once it is acknowledged.

        It fails with `TooLarge` if the log takes no record of that size, and with `Unavailable` if nothing was
        appended, or if it is not known whether it was.
        """
        done: asyncio.Future[int] = self._loop.create_future()
        try:
            self.append(topic, partition, value, *_callbacks(done), headers)
        except InfernoError as error:
            done.set_exception(error)
        else:
            self._sends.add(done)
            done.add_done_callback(self._sends.discard)
        return done

    async def close(self, timeout_s: float) -> None:
        """Wait for what is under way, at most `timeout_s`, then stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        await self.abandon()

    async def abandon(self) -> None:
        """Stop at once, and forget what is under way; it may still land in the log."""
        self._dead = True
        self._closing.set()
        for done in list(self._sends):
            _callbacks(done)[1]("its producer was given up")
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._producer.purge(blocking=False)
        self._producer.poll(0)
        self._thread.join()

    def _poll(self) -> None:
        """Wait for deliveries; hand each batch to the loop in one call."""
        while not self._closing.is_set():
            self._producer.poll(_POLL_S)
            if self._delivered:
                batch, self._delivered = self._delivered, []
                self._hand_over(self._settle, batch)

    def _settle(self, batch: list[tuple[Callable[..., None], int | str]]) -> None:
        for callback, value in batch:
            if not self._dead or callback == self._acked:
                callback(value)

    def _acked(self, size: int) -> None:
        self._pending_bytes -= size
        if not self._pending_bytes:
            self._empty.set()

    def _error(self, error: KafkaError) -> None:
        if error.fatal() and self._on_fatal is not None:
            self._hand_over(self._on_fatal, self, error.str())

    def _hand_over(self, callback: Callable[..., None], *args: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *args)


def _refused(size: int, error: KafkaError) -> InfernoError:
    """Say why the client library takes a record of `size` bytes not even into its queue."""
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return TooLarge(
            f"This takes {size} bytes in the log, which takes at most {kafka.MAX_MESSAGE_BYTES} at once; send less."
        )
    return Unavailable(f"Kafka can't be written to just now ({error.name()}); try again soon.", retry_after_s=1)


def _callbacks(done: "asyncio.Future[int]") -> tuple[OnAck, OnFail]:
    """Make the two callbacks that settle `done` with the offset, or with `Unavailable`."""

    def acked(offset: int) -> None:
        if not done.done():
            done.set_result(offset)

    def failed(reason: str) -> None:
        if not done.done():
            done.set_exception(Unavailable(f"Kafka did not take the record ({reason}).", retry_after_s=1))

    return acked, failed
