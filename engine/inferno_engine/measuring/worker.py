"""A worker without a log: the worker's own session on the synthetic model, and listeners to what it says."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from inferno_core.acceptance import History
from inferno_core.effects import EngineFrame
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Frame, Request, Tenant
from inferno_core.session import Message
from inferno_stream.engine import Order, Place, Receipt
from inferno_stream.session import Session
from inferno_stream.triton import Triton

_WAIT_S = 120.0
_PARTITION = "measuring/0"


class Listener:
    """Hears one generation. With `keeps` it has its frames, as a taker-over would read them from the log."""

    __slots__ = ("_keeps", "_news", "began", "ended", "frames", "request", "tokens")

    def __init__(
        self, request: Request, news: asyncio.Event, frames: Sequence[EngineFrame] = (), *, keeps: bool
    ) -> None:
        self.request = request
        self.frames = list(frames)
        self.tokens = sum(len(frame.tokens) for frame in frames)
        self.began = False
        self.ended = False
        self._keeps = keeps
        self._news = news

    def heard(self, frame: EngineFrame, receipt: Receipt) -> None:
        """Count a frame; it is as good as in the log."""
        self.tokens += len(frame.tokens)
        if self._keeps and frame.choice >= 0:
            self.frames.append(frame)
        receipt.settle()
        if frame.final is not None or not self.began:
            self.began, self.ended = True, frame.final is not None
            self._news.set()

    def failed(self, error: InfernoError) -> None:
        """Stop: no figure is worth anything now."""
        raise EngineFailed(f"A generation failed: {error.message}") from error

    def history(self) -> History:
        """Give what stands in the log now."""
        history, index = History(), 0
        for frame in self.frames:
            history.frame(Frame(self.request.id, 1, 0, index, frame.tokens, frame.delta, frame.finish))
            index += len(frame.tokens)
        return history


class Timed(Session):
    """A session that notes how long each message took from the end of the engine's step until it was given on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.delays_s: list[float] = []
        self.adopted = 0

    @property
    def is_heard(self) -> bool:
        """Whether the host has taken all that it was told."""
        return not self._control.outbox.oldest

    def _read(self, message: Message, size_bytes: int) -> str:
        bye = super()._read(message, size_bytes)
        if message.frames is not None:
            self.delays_s.append(time.monotonic() - message.at)
        self.adopted += sum(adoption.resumed for adoption in message.adoptions)
        if message.adoptions or self.is_heard:
            self._changed()
        return bye


class Worker:
    """A session on the synthetic model, as a worker has it. Use `at_work`."""

    def __init__(self, triton: Triton, name: str, epoch: int) -> None:
        self.news = asyncio.Event()
        self.session = Timed(
            triton,
            "synthetic",
            "1",
            name=name,
            handles=itertools.count(1),
            fences={_PARTITION: epoch},
            changed=self.news.set,
            on_lost=self.news.set,
        )
        self._epoch = epoch

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait until something is so. Raises TimeoutError."""
        async with asyncio.timeout(_WAIT_S):
            while not fact():
                self.news.clear()
                await self.news.wait()

    def submit(self, streams: int, tokens: int, *, keeps: bool = False) -> list[Listener]:
        """Begin so many generations of so many tokens."""
        listeners = [Listener(_request(stream, tokens), self.news, keeps=keeps) for stream in range(streams)]
        for listener in listeners:
            self.session.hold(1)
            self._start(listener, None)
        return listeners

    def adopt(self, others: Sequence[Listener], histories: Sequence[History]) -> list[Listener]:
        """Take over generations of another worker, after what stands in the log."""
        listeners = [Listener(other.request, self.news, other.frames, keeps=True) for other in others]
        for listener, history in zip(listeners, histories, strict=True):
            self._start(listener, history)
        return listeners

    def _start(self, listener: Listener, history: History | None) -> None:
        runs = history is not None
        place = Place("", self.session.life, "", "synthetic", "1", slots=0 if runs else 1, runs=runs)
        self.session.start(Order(listener.request, _PARTITION, self._epoch, history), place, listener)


def _request(stream: int, tokens: int) -> Request:
    body = {"messages": [{"role": "user", "content": f"Stream {stream}"}], "max_tokens": tokens, "seed": stream}
    return Request(
        id=f"{time.monotonic_ns()}-{stream}",
        surface="chat",
        body=json.dumps(body).encode(),
        model="synthetic",
        version="1",
        tenant=Tenant("", "", ""),
        reader="",
        created_ms=time.time_ns() // 1_000_000,
        seed=stream,
        max_tokens=tokens,
    )


@asynccontextmanager
async def at_work(address: str, name: str, epoch: int = 1) -> AsyncGenerator[Worker]:
    """Open a session on the host at `address`, and close it on leaving."""
    triton = Triton(address, _WAIT_S)
    worker = Worker(triton, name, epoch)
    running = asyncio.create_task(worker.session.run())
    try:
        await worker.until(lambda: worker.session.free > 0)
        yield worker
    finally:
        await worker.session.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await triton.close()
