"""What surrounds every route, from the outside in: request ids, measuring, tracing and the access log, errors.

All are plain ASGI: they add nothing to the chunks of a stream but one call.
"""

import logging
import re
import uuid

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inferno_api import exchange as exchanges
from inferno_api import failures
from inferno_api import headers as answered
from inferno_api.exchange import Exchange
from inferno_api.telemetry import access_log, tracing
from inferno_api.telemetry.metrics import Metrics
from inferno_api.wire.connection import ClientGone
from inferno_core import trace
from inferno_core.errors import InfernoError
from inferno_stream.tracing import Tracer

_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}")

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""What machines ask every second: their lines are for debugging alone."""

_log = logging.getLogger("inferno_api")


class RequestId:
    """Names each request: by the client's own `x-request-id` where it is a plain one, else by a new id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        if not _REQUEST_ID.fullmatch(id):
            id = b"req_" + uuid.uuid4().hex.encode()
        scope["exchange"] = Exchange(id.decode())

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", id)]
            await send(message)

        await self._app(scope, receive, send_named)


class Measure:
    """Counts and times each request, tells its span, and writes its line in the log: never content, never a secret."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracer: Tracer) -> None:
        self._app = app
        self._metrics = metrics
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = exchanges.of(scope)
        traceparent = _traceparent(scope)
        exchange.parent, exchange.trace = trace.parse(traceparent), self._tracer.begin(traceparent)

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            self._record(exchange, scope)

    def _record(self, exchange: Exchange, scope: Scope) -> None:
        route = _route(scope)
        self._metrics.over(exchange, route)
        if exchange.trace is not None and exchange.trace.sampled and route not in _PROBES:
            self._tracer.tell(tracing.span(exchange, exchange.trace, scope["method"], route))
        level = logging.DEBUG if route in _PROBES else logging.INFO
        if _log.isEnabledFor(level):
            _log.log(level, "request", extra={"facts": access_log.facts(exchange, scope["method"], route)})


class Errors:
    """Turns what is raised below into OpenAI's error shape. What nobody foresaw is logged here, and only here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        begun = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientGone:
            exchanges.of(scope).code = "client_gone"
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            # This frame is part of the error's traceback: kept here, the error would keep itself, and the body with it.
            answer = _answer(scope, error)
            await answer(scope, receive, send)


def _answer(scope: Scope, error: Exception) -> Response:
    known, headers = _known(scope, error)
    exchange = exchanges.of(scope)
    exchange.code = known.code
    return failures.respond(known, answered.failed(exchange) | headers)


def _known(scope: Scope, error: Exception) -> tuple[InfernoError, dict[str, str]]:
    if isinstance(error, InfernoError):
        return error, {}
    if isinstance(error, HTTPException):
        return failures.from_http(HTTPConnection(scope), error), dict(error.headers or {})
    _log.error("request failed", exc_info=error, extra={"facts": {"request_id": exchanges.of(scope).request_id}})
    return failures.internal(), {}


def _traceparent(scope: Scope) -> str:
    """Give the caller's `traceparent`; as W3C has it, several are none."""
    values = [value for name, value in scope["headers"] if name == b"traceparent"]
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _route(scope: Scope) -> str:
    """Name the route by its pattern; what matched none is one label."""
    route = scope.get("route")
    return f"{scope.get('root_path', '')}{route.path}" if isinstance(route, Route) else "unmatched"
