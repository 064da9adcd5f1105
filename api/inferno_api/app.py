"""The edge as one ASGI application: what stands around it, and what it routes where."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from inferno_api import control
from inferno_api.authentication import Authentication
from inferno_api.generations import Generations
from inferno_api.middleware import Errors, Measure, RequestId
from inferno_api.models import Models
from inferno_api.parts import Parts
from inferno_api.surfaces import SURFACES
from inferno_api.wire.keepalive import Ticker

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


async def _raise_again(request: Request, error: Exception) -> Response:
    """Leave what the routers refuse to the one renderer of errors, in `middleware.Errors`."""
    raise error


@asynccontextmanager
async def _nothing_to_start(app: Starlette) -> AsyncGenerator[None]:
    yield


def build(parts: Parts, lifespan: Lifespan = _nothing_to_start) -> Starlette:
    """Make the application. `lifespan` starts and stops its parts where a server runs it."""
    family = Router(_inference(parts), redirect_slashes=False)
    operations = control.build(parts)
    return Starlette(
        routes=[
            Mount("/v1", family),
            Mount("/api/consumer/v1", family),
            # FastAPI's routes need this one of its middlewares; the others stay out, since ours do their work.
            Mount("/", operations, middleware=[Middleware(AsyncExitStackMiddleware)]),
        ],
        middleware=[
            Middleware(RequestId),
            Middleware(Measure, metrics=parts.metrics, tracer=parts.tracer),
            Middleware(Errors),
        ],
        exception_handlers={HTTPException: _raise_again},
        lifespan=lifespan,
    )


def _inference(parts: Parts) -> list[Route]:
    """Route the inference surface; each route names the endpoint that a key's scope must hold."""
    models = Models(parts.catalogue)
    ticker = Ticker(parts.settings.keepalive_s)

    def route(endpoint: str, method: str, path: str, handler: Callable[..., object]) -> Route:
        guard = Middleware(Authentication, keyring=parts.keyring, endpoint=endpoint)
        return Route(path, handler, methods=[method], name=endpoint, middleware=[guard])

    return [
        *(route(kind.endpoint, "POST", kind.path, Generations(kind, parts, ticker)) for kind in SURFACES),
        route("models", "GET", "/models", models.list),
        route("models", "GET", "/models/{model:path}", models.show),
    ]
