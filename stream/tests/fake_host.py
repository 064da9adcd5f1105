"""A Triton with a model of our backend, over real gRPC: the backend's own state machine, and an engine that counts.

Token k of a choice is k, its delta says `<k>`. The engine makes a token of each run at each `step`.
"""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import grpc.aio
from tritonclient.grpc import service_pb2_grpc  # type: ignore[import-untyped]  # generated, without types

from inferno_core import session as wire
from inferno_core.audience import Send
from inferno_core.errors import EngineLost, InfernoError
from inferno_core.hosted import Row, Run
from inferno_core.hosting import Abort, Fail, Host, Start
from inferno_core.records import Usage
from inferno_stream.tensors import messages

Attached = asyncio.Queue[Send]
"""What one attach is sent."""

_TICK_S = 0.05


def delta(token: int) -> bytes:
    """Give what is shown of a token."""
    return b"<%d>" % token


class FakeHost(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # as above
    """Serves model `model`, version 1, with `slots`; an answer has `length` tokens.

    `heard` has the commands, in order, `attached` the attaches; `aborted` is how many runs were ended before their
    time, `streams` how many are open. What goes wrong is chosen: a `mute` host sends nothing, one that is `deaf`
    heeds no commands (`unheard` of them), one that `refuses` takes no request. With `step_s` it steps by itself.
    """

    def __init__(self, *, slots: int = 8, length: int = 4, step_s: float | None = None) -> None:
        self.host = Host("life-1", slots)
        self.length = length
        self.heard: list[wire.Command] = []
        self.attached: list[wire.Attach] = []
        self.unheard = 0
        self.streams = 0
        self.aborted = 0
        self.mute = self.deaf = self.refuses = False
        self._slots = slots
        self._step_s = step_s
        self._working: dict[str, Run] = {}
        self._untold: dict[str, list[Row | InfernoError | None]] = {}
        self._places: set[Attached] = set()
        self._address = "127.0.0.1:0"

    async def __aenter__(self) -> "FakeHost":
        await self.start()
        self._clock = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clock.cancel()
        with suppress(asyncio.CancelledError):
            await self._clock
        await self.kill()

    async def start(self) -> None:
        """Serve, at the same address as before."""
        self._server = grpc.aio.server()
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port(self._address)}"
        self._address = self.address
        await self._server.start()

    async def kill(self) -> None:
        """Break every connection, and take none."""
        await self._server.stop(None)

    def restart_engine(self) -> None:
        """The backend's process is another one, which remembers nothing; nobody was told."""
        self._begin(f"{self.host.audience.life}+")

    def forget(self) -> None:
        """The backend has not heard of its workers for so long that it remembers none."""
        self._begin(self.host.audience.life)

    def _begin(self, life: str) -> None:
        self.host = Host(life, self._slots)
        self._working.clear()
        self._untold.clear()

    def cut(self) -> None:
        """Break every attach."""
        for place in self._places:
            place.put_nowait(Send(place, (b"cut",)))

    def rotate(self) -> None:
        """Ask every attach to come again."""
        now = time.monotonic()
        for session in self.host.audience.sessions.values():
            session.old_at = now
        self.host.audience.prove(now)
        self.pump()

    def retire(self) -> None:
        """Be unloaded: no request is taken any more."""
        self.refuses = True
        self.host.retire()
        self.pump()

    @property
    def running(self) -> list[str]:
        """The ids that the engine works at."""
        return [run.id for run in self._working.values()]

    def step(self, steps: int = 1) -> None:
        """Let the engine make a token of each run, as often."""
        for _ in range(steps):
            for run in list(self._working.values()):
                self._make(run)
            self.pump()

    def fail(self, error: InfernoError) -> None:
        """Let every run end so."""
        for run in list(self._working.values()):
            del self._working[run.key]
            self._tell(run, error)
        self.pump()

    def die(self) -> None:
        """Let the engine die; the backend lives."""
        self.fail(EngineLost("The engine died."))

    def _make(self, run: Run) -> None:
        rows = [row for row in self._untold[run.key] if isinstance(row, tuple)]
        token = sum(len(said) for said in run.tokens.values()) + len(rows)
        last = token + 1 >= self.length
        self._tell(run, (0, [token], delta(token), "stop" if last else ""))
        if last:
            del self._working[run.key]
            self._tell(run, None)

    def _tell(self, run: Run, what: Row | InfernoError | None) -> None:
        self._untold[run.key].append(what)
        self.host.gained([run])

    def pump(self) -> None:
        """Say what may be said, and carry out what the host wants."""
        now = time.monotonic()
        for run in chain.from_iterable(self.host.ready()):
            self._say(run, now)
        self.host.tick(now)
        self.host.flush(now)
        for effect in self.host.drain():
            match effect:
                case Send():
                    if not self.mute:
                        effect.place.put_nowait(effect)
                case Start(run):
                    self._working[run.key] = run
                    self._untold[run.key] = []
                case Abort(keys):
                    self.aborted += len(keys)
                    for key in keys:
                        self._working.pop(key, None)
                case Fail(run, error):
                    self._working.pop(run.key, None)
                    self._tell(run, error)

    def _say(self, run: Run, now: float) -> None:
        untold, self._untold[run.key] = self._untold[run.key], []
        for what in untold:
            if what is None or isinstance(what, InfernoError):
                self.host.end(run, Usage(3, self.length) if what is None else None, what)
            else:
                self.host.say([run], [what], now)

    async def _tick(self) -> None:
        step_at = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S if self._step_s is None else self._step_s)
            if self._step_s is not None and time.monotonic() >= step_at:
                self.step()
            self.pump()

    # As Triton.

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802 -- Triton's name
        index = messages.RepositoryIndexResponse()
        index.models.add(name="model", version="1", state="READY")
        return index

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 -- Triton's name
        metadata = messages.ModelMetadataResponse(name="model")
        for name in ("text_input", wire.ATTACH_INPUT, wire.COMMANDS_INPUT):
            metadata.inputs.add(name=name, datatype="BYTES", shape=[1])
        return metadata

    async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.streams += 1
        try:
            async for request in requests:
                name, data = request.inputs[0].name, request.raw_input_contents[0][4:]
                if self.refuses:
                    yield messages.ModelStreamInferResponse(error_message="Request for unknown model: 'model'")
                elif name == wire.ATTACH_INPUT:
                    async for response in self._attach(wire.decode_attach(data)):
                        yield response
                else:
                    self._command(wire.decode_commands(data))
                    yield _response((), final=True)
        finally:
            self.streams -= 1

    def _command(self, said: wire.Commands) -> None:
        if self.deaf:
            self.unheard += 1
            return
        self.heard += said.commands
        self.host.carry_out(said, time.monotonic())
        self.pump()

    async def _attach(self, said: wire.Attach) -> AsyncIterator[Any]:
        place: Attached = asyncio.Queue()
        self._places.add(place)
        self.attached.append(said)
        try:
            self.host.attach(place, said, time.monotonic())
            self.pump()
            while True:
                send = await place.get()
                if send.messages == (b"cut",):
                    raise RuntimeError("cut")
                yield _response(send.messages, final=send.final)
                if send.final:
                    return
        finally:
            self._places.discard(place)
            self.host.left(place, time.monotonic())

    def say(self, data: bytes) -> None:
        """Say what no host would."""
        for place in self._places:
            place.put_nowait(Send(place, (data,)))


def _response(said: Sequence[bytes], *, final: bool) -> Any:
    message = messages.ModelStreamInferResponse()
    response = message.infer_response
    response.parameters["triton_final_response"].bool_param = final
    if said:
        response.outputs.add(name=wire.MESSAGE_OUTPUT, datatype="BYTES", shape=[len(said)])
        response.raw_output_contents.append(b"".join(struct.pack("<I", len(data)) + data for data in said))
    return message
