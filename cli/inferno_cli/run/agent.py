"""An agent process: settings → presence, its Triton's control → the agent → its health."""

import asyncio
import contextlib
import signal

import uvloop
from prometheus_client import CollectorRegistry

from inferno_cli import log_records
from inferno_core.hosts import Host
from inferno_core.settings import Settings
from inferno_engine.agent import Agent, Post
from inferno_engine.control import TritonControl
from inferno_engine.place import Pace
from inferno_store import hosts, redis
from inferno_stream import exposition


def main(settings: Settings) -> None:
    """Keep the models of one Triton until SIGTERM."""
    log_records.configure(settings.log_level, settings.log_format)
    uvloop.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; Triton then goes on serving, and its presence holds until it runs out."""
    presence = redis.connect(settings.redis.url.get_secret_value())
    control = TritonControl(settings.agent.grpc)

    async def publish(host: Host) -> None:
        await hosts.publish(presence, host)

    agent = Agent(_post(settings), control, publish, _pace(settings))
    working = asyncio.create_task(agent.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    try:
        with (
            exposition.serve(settings.metrics_port, CollectorRegistry(), lambda: agent.healthy),
            contextlib.suppress(asyncio.CancelledError),
        ):
            await working
    finally:
        await control.close()
        await presence.aclose()


def _post(settings: Settings) -> Post:
    agent = settings.agent
    return Post(
        host=agent.host or settings.name or "triton",
        grpc=agent.grpc,
        http=agent.http,
        repository=agent.repository,
        desired=agent.desired,
        state=agent.state,
        metrics=agent.metrics,
        kills=agent.kills_triton,
    )


def _pace(settings: Settings) -> Pace:
    agent = settings.agent
    return Pace(
        load_timeout_s=agent.load_timeout_s,
        canary_timeout_s=agent.canary_timeout_s,
        canary_every_s=agent.canary_every_s,
        drain_s=agent.drain_s,
    )
