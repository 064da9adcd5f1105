"""A worker process: settings → presence, engines → the worker → its metrics."""

import asyncio
import signal
from functools import partial

import uvloop

from inferno_cli import log_records
from inferno_cli.run import telemetry
from inferno_core.settings import Settings
from inferno_store import hosts, redis
from inferno_stream import exposition
from inferno_stream.background import Tasks
from inferno_stream.fleet import Fleet
from inferno_stream.metrics import Metrics
from inferno_stream.worker import Worker


def main(settings: Settings) -> None:
    """Drive engines until SIGTERM."""
    log_records.configure(settings.log_level, settings.log_format)
    uvloop.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then hand over and leave."""
    presence = redis.connect(settings.redis.url.get_secret_value())
    metrics = Metrics()
    fleet = Fleet(
        partial(hosts.read, presence),
        partial(hosts.publish, presence),
        settings.triton.urls,
        settings.triton.timeout_s,
        metrics,
    )
    tracer = telemetry.tracer(settings, "worker", metrics.registry)
    worker = Worker(settings.kafka, settings.worker, fleet, metrics, tracer, name=settings.name or "worker")
    stop = _asked_to_stop()
    watching = Tasks()
    watching.spawn(fleet.watch())
    try:
        await worker.start()
        with exposition.serve(settings.metrics_port, metrics.registry, lambda: worker.healthy):
            await stop.wait()
            await worker.stop()
    finally:
        await watching.cancel()
        await fleet.close()
        await presence.aclose()
        await tracer.close()


def _asked_to_stop() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
