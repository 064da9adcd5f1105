"""How this platform talks to Kafka: the client settings that the protocol and the latency of a token depend on."""

from confluent_kafka import KafkaError, KafkaException, Producer

from inferno_core.errors import Unavailable

Config = dict[str, str | int | float | bool]

MAX_MESSAGE_BYTES = 20 << 20
"""The largest record, in bytes: what topics, producers and consumers are told alike. A request's body has 16 MiB."""


def client(bootstrap: str, name: str) -> Config:
    """Settings of every client: small packets leave at once, and a broker that comes back is found at once."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": name,
        "socket.nagle.disable": True,
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 500,
        "log.connection.close": False,
        "log_level": 2,
    }


def producer(bootstrap: str, name: str, *, timeout_ms: int) -> Config:
    """Settings of a producer, which is idempotent: order is kept and nothing stands twice, whatever is sent again.

    After `timeout_ms` a record's fate is given up as unknown; 0 never gives up, so that whatever is lost all the same
    is fatal for the producer (rule 9).
    """
    return client(bootstrap, name) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        "message.timeout.ms": timeout_ms,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": 256 << 10,
        "retry.backoff.ms": 20,
        "retry.backoff.max.ms": 500,
    }


def reader(bootstrap: str, name: str) -> Config:
    """Settings of a consumer that is assigned explicit offsets, belongs to no group in earnest, and tails."""
    return client(bootstrap, name) | {
        "group.id": f"{name}-reader",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "fetch.min.bytes": 1,
        "fetch.wait.max.ms": 500,
        "fetch.error.backoff.ms": 10,
        "fetch.queue.backoff.ms": 5,
        "fetch.message.max.bytes": MAX_MESSAGE_BYTES,
        "queued.max.messages.kbytes": 32 << 10,
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def member(bootstrap: str, name: str, group: str, session_timeout_ms: int) -> Config:
    """Settings of a group's member, which learns here what it is assigned and reads nothing by it."""
    return client(bootstrap, name) | {
        "group.id": group,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_timeout_ms,
        "heartbeat.interval.ms": max(100, session_timeout_ms * 3 // 10),
        "max.poll.interval.ms": max(10_000, session_timeout_ms),
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def probe(bootstrap: str, timeout_s: float) -> None:
    """Ask the brokers for the cluster's metadata, blocking.

    Raises:
        Unavailable: if none answers within `timeout_s`.

    """
    asker = Producer(client(bootstrap, "probe"))
    try:
        asker.list_topics(timeout=timeout_s)
    except KafkaException as error:
        raise Unavailable(away(bootstrap, error_of(error)), retry_after_s=1) from error


def error_of(error: KafkaException) -> KafkaError:
    """Give what the client library says is wrong."""
    inner = error.args[0]
    assert isinstance(inner, KafkaError)
    return inner


def away(bootstrap: str, error: KafkaError) -> str:
    """Say in a sentence that Kafka can't be used."""
    return f"Kafka at {bootstrap} does not answer ({error.name()}); check that the brokers run and are reachable."
