"""`POST /v1/chat/completions` and `/v1/completions`: ask the log for a generation, and give its words to the client."""

import time
from collections.abc import Callable, Sequence

import msgspec
from starlette.types import Receive, Scope, Send

from inferno_api import exchange, failures, validation
from inferno_api.admission import Admission
from inferno_api.asked import Asked
from inferno_api.chat import ChatBody
from inferno_api.completion import CompletionBody
from inferno_api.connection import held, read_body
from inferno_api.embedding import EmbeddingBody
from inferno_api.folding import Folding
from inferno_api.metrics import Metrics
from inferno_api.streaming import KEEPALIVE, EventStream, error_event
from inferno_core.acceptance import Accepted
from inferno_core.errors import InfernoError
from inferno_core.records import Final, Surface
from inferno_stream.edge import Draft, Edge, Follower

FIRST_FRAME_S = 1.0
"""How long the status line waits for the first frame or an error, in seconds."""

_SLACK_S = 15.0
"""How much longer than a generation's whole deadline its reader waits, since the worker ends it and says why."""

_DECODE: dict[Surface, Callable[[bytes], Asked]] = {
    "chat": msgspec.json.Decoder(ChatBody).decode,
    "completion": msgspec.json.Decoder(CompletionBody).decode,
    "embedding": msgspec.json.Decoder(EmbeddingBody).decode,
}


class Generations:
    """One of the two surfaces, as an ASGI endpoint. The key that asks is in the scope."""

    def __init__(
        self,
        surface: Surface,
        *,
        edge: Edge,
        admission: Admission,
        metrics: Metrics,
        max_body_bytes: int,
        keepalive_s: float,
    ) -> None:
        self._surface: Surface = surface
        self._edge = edge
        self._admission = admission
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._keepalive_s = keepalive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. The generation is left as soon as the client hangs up, or the answer is complete."""
        started = time.perf_counter()
        data = await read_body(scope, receive, self._max_body_bytes)
        body = validation.read(data, _DECODE[self._surface])
        draft = self._admission.draft(self._surface, body, scope["key"])
        follower = await self._edge.submit(draft)
        exchange.of(scope).generation_id = follower.id
        reading = Reading(follower, draft, self._metrics, started)
        answer = Streamed if body.streams else Whole
        with self._metrics.in_flight.labels(self._surface).track_inprogress():
            try:
                await answer(reading, send, self._keepalive_s).give(receive)
            except InfernoError as error:
                reading.outcome = error.code
                raise
            finally:
                await follower.aclose()
                reading.close()


class Reading:
    """One reader's way through one generation: what came, what the end was, and how long it took."""

    def __init__(self, follower: Follower, draft: Draft, metrics: Metrics, started: float) -> None:
        self.follower = follower
        self.draft = draft
        self.final: Final | None = None
        self.outcome = "client_gone"
        self._metrics = metrics
        self._started = started
        self._created = int(time.time())
        self._spoke = False

    @property
    def created(self) -> int:
        """When the generation began, as the log has it: the same for all of its readers. Unix time in seconds."""
        head = self.follower.head
        return self._created if head is None else head.created

    async def next(self, timeout_s: float) -> Sequence[Accepted]:
        """Give what came; nothing at the time-out, and `StopAsyncIteration` behind the end."""
        frames = await self.follower.next(timeout_s)
        for frame, index in frames:
            if index >= 0 and not self._spoke:
                self._spoke = True
                self._observe_first_token()
            if frame.final is not None:
                self.final = frame.final
                self.outcome = frame.final.outcome.value
        return frames

    def close(self) -> None:
        """Record how long it took, and how it ended."""
        labels = (self.draft.surface, self.draft.model, self.outcome)
        self._metrics.generation_duration.labels(*labels).observe(time.perf_counter() - self._started)

    def _observe_first_token(self) -> None:
        labels = (self.draft.surface, self.draft.model)
        self._metrics.ttft.labels(*labels).observe(time.perf_counter() - self._started)


class Whole:
    """The answer as one JSON object, once it is complete."""

    def __init__(self, reading: Reading, send: Send, keepalive_s: float) -> None:
        self._reading = reading
        self._send = send
        self._wait_s = keepalive_s

    async def give(self, receive: Receive) -> None:
        """Collect the generation and send it. Raises `InfernoError` if it failed."""
        reading, draft = self._reading, self._reading.draft
        folding = Folding(draft.surface)
        async with held(receive, draft.deadlines.whole_s + _SLACK_S):
            while reading.final is None:
                folding.add(await reading.next(self._wait_s))
            failures.raise_if_failed(reading.final)
            body = folding.whole(
                id=reading.follower.id, created=reading.created, model=draft.model, usage=reading.final.usage
            )
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await self._send(_start(draft, headers))
            await self._send({"type": "http.response.body", "body": body})


class Streamed:
    """The answer as server-sent events, each step of the engine sent as it comes."""

    def __init__(self, reading: Reading, send: Send, keepalive_s: float) -> None:
        self._reading = reading
        self._send = send
        self._keepalive_s = keepalive_s
        self._begun = False
        self._events: EventStream | None = None

    async def give(self, receive: Receive) -> None:
        """Relay the generation. Raises `InfernoError` if it failed before the status was sent, else says so inside."""
        try:
            async with held(receive, self._reading.draft.deadlines.whole_s + _SLACK_S):
                await self._relay()
        except InfernoError as error:
            if not self._begun:
                raise
            self._reading.outcome = error.code
            async with held(receive, self._keepalive_s):
                await self._send({"type": "http.response.body", "body": error_event(error)})

    async def _relay(self) -> None:
        reading = self._reading
        frames = await reading.next(FIRST_FRAME_S)
        if reading.final is not None and not any(frame.tokens for frame, _ in frames):
            failures.raise_if_failed(reading.final)
        await self._begin()
        await self._say(self._render(frames))
        while reading.final is None:
            frames = await reading.next(self._keepalive_s)
            await self._say(self._render(frames) if frames else KEEPALIVE)
        failures.raise_if_failed(reading.final)
        end = self._stream().end(reading.final)
        await self._send({"type": "http.response.body", "body": end})

    async def _begin(self) -> None:
        self._begun = True
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._send(_start(self._reading.draft, headers))

    async def _say(self, data: bytes) -> None:
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _render(self, frames: Sequence[Accepted]) -> bytes:
        return self._stream().render(frames) if frames else b""

    def _stream(self) -> EventStream:
        """Give the renderer, which is made with the first frame: only then the log has said when it began."""
        if self._events is None:
            reading, draft = self._reading, self._reading.draft
            self._events = EventStream(
                draft.surface,
                id=reading.follower.id,
                created=reading.created,
                model=draft.model,
                include_usage=draft.include_usage,
            )
        return self._events


def _start(draft: Draft, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    named = [*headers, (b"x-inferno-model-version", draft.version.encode())]
    return {"type": "http.response.start", "status": 200, "headers": named}
