"""The inference routes: ask the log for a generation, and give its words to the client."""

import time
from typing import Protocol

import msgspec
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from inferno_api import exchange as exchanges
from inferno_api import headers
from inferno_api.admission import Admission
from inferno_api.exchange import Exchange
from inferno_api.parts import Parts
from inferno_api.requests import validation
from inferno_api.requests.asked import Asked
from inferno_api.responses.backstop import backstop
from inferno_api.responses.pump import Pump
from inferno_api.responses.whole import Whole
from inferno_api.surfaces import SurfaceKind
from inferno_api.wire.bodies import read_body
from inferno_api.wire.connection import ClientGone
from inferno_api.wire.keepalive import Ticker
from inferno_core.errors import InfernoError
from inferno_stream.edge import Draft, Follower, Sink


class Answer(Sink, Protocol):
    """Hears a generation, and answers the request with it: word by word (`Pump`), or as a whole (`Whole`)."""

    async def give(self, follower: Follower, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Raises `InfernoError` before the status was sent, `ClientGone` once there is nobody to answer."""
        ...


class Generations:
    """One surface as an ASGI endpoint. The key that asks is in the scope."""

    def __init__(self, kind: SurfaceKind, parts: Parts, ticker: Ticker) -> None:
        self._kind = kind
        self._parts = parts
        self._ticker = ticker
        self._decode = msgspec.json.Decoder(kind.body).decode
        self._admission = Admission(parts.catalogue, parts.deadlines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. The generation is left as soon as the client hangs up, or the answer is complete."""
        exchange = exchanges.of(scope)
        data = await read_body(scope, receive, self._parts.settings.max_body_bytes, self._parts.bodies)
        exchange.read = time.perf_counter()
        body: Asked = validation.read(data, self._decode)
        draft = self._admission.draft(self._kind.surface, body, scope["key"])
        exchange.opened(draft, body, stream=body.streams)
        draft = replace(draft, trace=exchange.traceparent)
        with self._parts.metrics.open(exchange), self._parts.waiting.enter(draft.tenant.key) as wait:
            exchange.taken = wait.taken
            await self._generate(exchange, draft, scope, receive, send)

    async def _generate(self, exchange: Exchange, draft: Draft, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(exchange, draft)
        follower = await self._parts.edge.submit(draft, answer)
        exchange.generation_id = follower.id
        exchange.admitted = time.perf_counter()
        try:
            with backstop(follower, exchange, draft.deadlines):
                await answer.give(follower, scope, receive, send)
        except InfernoError as error:
            exchange.outcome = exchange.outcome or error.code
            raise
        except ClientGone:
            exchange.outcome = exchange.outcome or "client_gone"
            raise
        finally:
            await follower.aclose()

    def _answer(self, exchange: Exchange, draft: Draft) -> Answer:
        if not exchange.stream:
            return Whole(exchange, draft, self._kind.folding())
        return Pump(
            exchange,
            draft,
            headers=lambda: headers.answered(exchange),
            settings=self._parts.settings,
            ticker=self._ticker,
        )
