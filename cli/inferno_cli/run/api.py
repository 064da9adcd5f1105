"""An API process: settings → database, presence, log → the application → the server."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import uvicorn
import uvloop
from pydantic import SecretStr
from starlette.applications import Starlette

from inferno_api import app
from inferno_api.catalogue import Catalogue
from inferno_api.keyring import Keyring
from inferno_api.parts import Parts
from inferno_api.telemetry.canary import Canary
from inferno_api.telemetry.metrics import Metrics
from inferno_api.waiting import WaitingRoom
from inferno_api.wire import protocol
from inferno_cli import log_records
from inferno_cli.run import telemetry
from inferno_core.errors import InvalidRequest
from inferno_core.keys import Key, Secret
from inferno_core.records import Deadlines
from inferno_core.settings import Settings
from inferno_store import hosts, keys, redis
from inferno_store.postgres import Database
from inferno_stream.kafka_edge import KafkaEdge

_SHUTDOWN_S = 4
"""How long open answers may go on after SIGTERM: with the log's own farewell less than a supervisor's ten seconds."""

_MIN_SECRET_CHARS = 32


def main(settings: Settings) -> None:
    """Serve until SIGTERM."""
    log_records.configure(settings.log_level, settings.log_format)
    _allow_files()
    uvloop.run(run(settings))


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; open answers get a few seconds to end."""
    pepper = _required(settings.secrets.key_pepper, "INFERNO_SECRETS__KEY_PEPPER")
    id_key = _required(settings.secrets.id_key, "INFERNO_SECRETS__ID_KEY")
    database = Database(settings.postgres.dsn.get_secret_value(), settings.postgres.pool_size)
    presence = redis.connect(settings.redis.url.get_secret_value())
    metrics = Metrics()
    tracer = telemetry.tracer(settings, "api", metrics.registry)
    edge = KafkaEdge(settings.kafka, settings.api, tracer, name=settings.name or "api", id_key=id_key)

    async def find(secret: Secret) -> Key | None:
        return await keys.find(database, secret, pepper)

    catalogue = Catalogue(lambda: hosts.read(presence))
    parts = Parts(
        edge=edge,
        catalogue=catalogue,
        keyring=Keyring(find, pepper=pepper, believed_s=settings.api.key_cache_s),
        metrics=metrics,
        canary=Canary(edge, catalogue, metrics, settings.api),
        tracer=tracer,
        waiting=WaitingRoom(settings.api.max_waiting, settings.api.max_waiting_per_key),
        deadlines=Deadlines(**settings.deadlines.model_dump()),
        settings=settings.api,
    )
    server = _server(app.build(parts, _lifespan(parts, edge, database, presence)), settings, parts.metrics)
    await server.serve()
    if not server.started:
        raise SystemExit("The API did not start; the log above says why.")


def _lifespan(parts: Parts, edge: KafkaEdge, database: Database, presence: redis.Redis) -> app.Lifespan:
    """Start what the application stands on, in order, and stop it in the reverse order."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.tracer.close)
            stack.push_async_callback(presence.aclose)
            await database.open()
            stack.push_async_callback(database.close)
            stack.push_async_callback(edge.stop)
            await edge.start()
            await parts.catalogue.refresh()
            await stack.enter_async_context(_running(parts.catalogue.run))
            await stack.enter_async_context(_running(parts.canary.run))
            yield

    return lifespan


@asynccontextmanager
async def _running(work: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Keep `work` running beside the block."""
    task = asyncio.ensure_future(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _server(application: Starlette, settings: Settings, metrics: Metrics) -> uvicorn.Server:
    connection = protocol.factory(settings.api, metrics.refused)
    config = uvicorn.Config(
        application,
        host=settings.api.host,
        port=settings.api.port,
        http=cast("type[asyncio.Protocol]", connection),  # uvicorn only calls it
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        backlog=2048,
    )
    return uvicorn.Server(config)


def _allow_files() -> None:
    """Let this process have as many connections as the system allows it: the usual limit is far below."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _required(secret: SecretStr, name: str) -> bytes:
    """Give a secret's bytes; raises `InvalidRequest` where it is missing or short."""
    text = secret.get_secret_value()
    if len(text) < _MIN_SECRET_CHARS:
        raise InvalidRequest(f"{name} has {len(text)} characters. Set it to at least {_MIN_SECRET_CHARS} random ones.")
    return text.encode()
