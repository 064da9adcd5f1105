"""Drives a model version as a worker does: one session, in which many generations are said step by step."""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import grpc.aio
import msgspec
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core import session
from inferno_core.errors import DeadlineExceeded, EngineFailed, InfernoError, from_code
from inferno_engine.measuring.load import Load, Measured
from inferno_stream import tensors

_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))
_SILENCE_S = 60.0
_ACK_EVERY = 16


@dataclass(slots=True)
class Answer:
    """What a generation said."""

    tokens: list[int] = field(default_factory=list[int])
    over: bool = False


class Sessions:
    """A session on the ready version of `model` at `address`. Use `connected`."""

    def __init__(self, stub: Any, model: str) -> None:
        self._stub = stub
        self._model = model
        self._id = uuid.uuid4().hex
        self._outbox: asyncio.Queue[tensors.Request] = asyncio.Queue()
        self._handles = 0
        self._number = 0
        self._room = 0
        self._seen = 0
        self._waiting: deque[session.Submit] = deque()
        self._answers: dict[int, Answer] = {}
        self._arrived = asyncio.Event()

    async def run(self, load: Load) -> Measured:
        """Have `load` generated, as fast as the host takes it."""
        bodies = load.bodies()
        began = perf_counter()
        answers = await self.answers(bodies)
        return Measured(load, sum(map(len, answers)), perf_counter() - began).checked()

    async def answers(self, bodies: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        """Have all chat bodies answered; give the tokens of each. Raises InfernoError."""
        mine = [self._submit(body) for body in bodies]
        self._send()
        while not all(answer.over for answer in mine):
            await self._arrival()
        return [answer.tokens for answer in mine]

    async def attach(self) -> None:
        """Open the session. Raises InfernoError."""
        self._control = self._stub.ModelStreamInfer(self._commands())
        self._draining = asyncio.create_task(_drain(self._control))
        self._reading = asyncio.create_task(self._read())
        await self._arrival()

    async def leave(self) -> None:
        """Close the session."""
        self._control.cancel()
        for task in (self._reading, self._draining):
            task.cancel()
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError, InfernoError):
                await task

    async def _arrival(self) -> None:
        """Wait until the host says something. Raises what ended the session, and DeadlineExceeded."""
        try:
            await asyncio.wait_for(self._arrived.wait(), _SILENCE_S)
        except TimeoutError:
            raise DeadlineExceeded(f"The host said nothing for {_SILENCE_S:.0f} s.") from None
        if self._reading.done():
            await self._reading
        self._arrived.clear()

    def _submit(self, body: Mapping[str, Any]) -> Answer:
        self._handles += 1
        id = f"{self._id}-{self._handles}"
        data = json.dumps({**body, "model": self._model, "seed": 1}).encode()
        self._waiting.append(session.Submit(self._handles, id, f"{self._id}/0", 1, "chat", data))
        answer = self._answers[self._handles] = Answer()
        return answer

    def _send(self, *commands: session.Command) -> None:
        """Say `commands`, and submit as much as there is room for."""
        submits: list[session.Command] = []
        while self._waiting and self._room > 0:
            submits.append(self._waiting.popleft())
            self._room -= 1
        if commands or submits:
            self._number += 1
            said = session.Commands(self._id, self._number, (*commands, *submits))
            self._outbox.put_nowait(self._request(session.COMMANDS_INPUT, said))

    async def _commands(self) -> AsyncIterator[tensors.Request]:
        while True:
            yield await self._outbox.get()

    async def _read(self) -> None:
        """Read one attach after the other: a host asks for a new one from time to time."""
        try:
            while True:
                said = self._request(session.ATTACH_INPUT, session.Attach(self._id, self._seen))
                bye = await self._listen(self._stub.ModelStreamInfer(_once(said)))
                if bye != "rotate":
                    raise EngineFailed(f"The host ended the session: {bye or 'it broke off'}.")
        except grpc.aio.AioRpcError as error:
            raise EngineFailed(f"The host is gone: {error.code().name}.") from error
        except msgspec.DecodeError as error:
            raise EngineFailed(f"The host's message can't be read: {error}.") from error
        finally:
            self._arrived.set()

    async def _listen(self, call: Any) -> str:
        bye = ""
        async for response in call:
            if response.error_message:
                raise EngineFailed("The host refused the session; see its log.")
            for data in tensors.outputs(response.infer_response).values():
                for packed in tensors.strings(data):
                    message = session.decode_message(packed)
                    self._take(message)
                    bye = bye or message.bye
        return bye

    def _take(self, message: session.Message) -> None:
        if message.heard == self._number:
            self._room = message.room
        if message.frames is not None:
            self._take_frames(message.frames)
        for ending in message.endings:
            self._end(ending)
        self._seen = message.number or self._seen
        # A worker acknowledges what stands in its log, many messages at once.
        due = message.number and (message.endings or message.number % _ACK_EVERY == 0)
        self._send(*((session.Ack(message.number),) if due else ()))
        self._arrived.set()

    def _take_frames(self, frames: session.Frames) -> None:
        place = 0
        for handle, count in zip(frames.handles, frames.counts, strict=True):
            self._answers[handle].tokens.extend(frames.tokens[place : place + count])
            place += count

    def _end(self, ending: session.Ending) -> None:
        if ending.failure is not None:
            raise from_code(ending.failure.code, ending.failure.message)
        self._answers.pop(ending.handle).over = True

    def _request(self, name: str, said: session.Attach | session.Commands) -> tensors.Request:
        request = tensors.new_request(self._model, "", "")
        tensors.add_string(request, name, session.encode(said))
        return request


class SessionDriver(NamedTuple):
    """Drives the ready version of `model` at `address`, in a new session each time: one that has nothing to do may be
    lost on a machine that has too much to do.
    """

    address: str
    model: str

    async def run(self, load: Load) -> Measured:
        """Have `load` generated, as fast as the host takes it. Raises InfernoError."""
        async with connected(self.address, self.model) as session:
            return await session.run(load)

    async def answers(self, bodies: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[int]]:
        """Have all chat bodies answered; give the tokens of each. Raises InfernoError."""
        async with connected(self.address, self.model) as session:
            return await session.answers(bodies)


@asynccontextmanager
async def connected(address: str, model: str) -> AsyncGenerator[Sessions]:
    """Open a session, and close it on leaving. Raises EngineFailed."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        mine = Sessions(service_pb2_grpc.GRPCInferenceServiceStub(channel), model)
        try:
            await mine.attach()
            yield mine
        finally:
            await mine.leave()


async def _once(request: tensors.Request) -> AsyncIterator[tensors.Request]:
    yield request


async def _drain(call: Any) -> None:
    async for _ in call:
        pass
