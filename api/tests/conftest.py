"""The production application over a scripted log, reached as clients reach it."""

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Callable, Iterable

import httpx
import pytest
from msgspec.structs import replace
from starlette.applications import Starlette

from inferno_api import app
from inferno_api.catalogue import Catalogue
from inferno_api.keyring import Keyring
from inferno_api.parts import Parts
from inferno_api.telemetry.canary import Canary
from inferno_api.telemetry.metrics import Metrics
from inferno_api.waiting import WaitingRoom
from inferno_core import keys
from inferno_core.errors import InfernoError
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_core.keys import Key, Secret
from inferno_core.records import Deadlines, Tenant
from inferno_core.settings import ApiSettings
from inferno_stream.edge import Draft
from inferno_stream.fake import FakeEdge, Step, words
from inferno_stream.tracing import ListTracer

PEPPER = b"p" * 32
KEY = Key(tenant=Tenant("organisation", "project", "key"), prefix="inf-aaaaaaaaaaaa")
SMOLLM2 = HostedModel(
    name="smollm2", version="1", state=ModelState.READY, since=1_700_000_000.0, context=8192, slots=8, default=True
)
OTHER = replace(SMOLLM2, name="other", version="3", default=False, tasks=("completion",))


class World:
    """What a test can change: the script of answers, the models that serve, the keys that are known."""

    def __init__(self) -> None:
        self.script: Callable[[Draft], Iterable[Step | InfernoError]] = lambda draft: words(
            "Hello", " world", surface=draft.surface
        )
        self.models: list[HostedModel] = [OTHER, SMOLLM2]
        self.secret = keys.issue()
        self.known: dict[str, Key] = {self.secret.reveal(): KEY}
        self.asked = asyncio.Event()
        self.edge = FakeEdge(self._answer)
        self.tracer = ListTracer()
        self.now = 1_700_000_040.0
        # Who wants a canary lets it run; here `parts.canary` asks nobody by itself.
        settings = ApiSettings(max_body_bytes=20_000, keepalive_s=0.05, canary_every_s=0)
        catalogue, metrics = Catalogue(self._hosts, clock=lambda: self.now), Metrics()
        self.parts = Parts(
            edge=self.edge,
            catalogue=catalogue,
            keyring=Keyring(self._find, pepper=PEPPER, believed_s=0),
            metrics=metrics,
            canary=Canary(self.edge, catalogue, metrics, settings),
            tracer=self.tracer,
            waiting=WaitingRoom(128, 100),
            deadlines=Deadlines(),
            settings=settings,
        )
        self.app: Starlette = app.build(self.parts)

    async def show(self, *models: HostedModel) -> None:
        """Let these models be hosted."""
        self.models = list(models)
        await self.parts.catalogue.refresh()

    def wait(self, **seconds: float) -> None:
        """Change the deadlines."""
        self.parts = dataclasses.replace(self.parts, deadlines=Deadlines(**seconds))
        self.app = app.build(self.parts)

    def allow(self, **changes: object) -> None:
        """Change what the key allows."""
        self.known[self.secret.reveal()] = replace(KEY, **changes)

    def client(self, **headers: str) -> httpx.AsyncClient:
        """Make a client with the key."""
        bearer = {"authorization": f"Bearer {self.secret.reveal()}"}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers={**bearer, **headers})

    def _answer(self, draft: Draft) -> Iterable[Step | InfernoError]:
        self.asked.set()
        return self.script(draft)

    async def _hosts(self) -> list[Host]:
        return [Host(name="triton-0", grpc="", http="", incarnation="i", models=tuple(self.models))]

    async def _find(self, secret: Secret) -> Key | None:
        return self.known.get(secret.reveal())


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    world = World()
    await world.parts.catalogue.refresh()
    yield world
    await world.edge.stop()


@pytest.fixture
async def client(world: World) -> AsyncGenerator[httpx.AsyncClient]:
    async with world.client() as client:
        yield client
