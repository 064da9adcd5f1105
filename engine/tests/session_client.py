"""A worker's side of sessions, as little of it as tests need: two streams, and what came on them, in order."""

import contextlib
import json
import queue
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from inferno_core import session as wire
from inferno_core.records import Failure, Usage

OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    # Without that all channels of this process to one address are one connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def _request(model: str, name: str, data: bytes) -> Any:
    request = service_pb2.ModelInferRequest(model_name=model)
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    tensor = request.inputs.add(name=name, datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(data)
    return request


def messages(response: Any) -> list[bytes]:
    """Split the one tensor of an attach's response into the messages it holds."""
    if not response.infer_response.raw_output_contents:
        return []
    data, at, split = response.infer_response.raw_output_contents[0], 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        split.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return split


@dataclass
class Heard:
    """What was told of one generation. `frames` are (choice, tokens, delta, finish)."""

    frames: list[tuple[int, list[int], bytes, str]] = field(default_factory=list)
    usage: Usage | None = None
    failure: Failure | None = None
    adopted: bool | None = None
    ended: bool = False

    def tokens(self, choice: int = 0) -> list[int]:
        return [token for frame in self.frames if frame[0] == choice for token in frame[1]]

    def text(self, choice: int = 0) -> str:
        """The content of a chat."""
        deltas = [json.loads(frame[2])["delta"] for frame in self.frames if frame[0] == choice]
        return "".join(delta.get("content") or "" for delta in deltas)


class Attached:
    """One attach: read to its end in a thread, unless it is cut. While `reading` is not set nothing is read."""

    def __init__(self, session: "Session", said: wire.Attach) -> None:
        self._session = session
        self._is_cut = False
        self.bye = ""
        self.error: Exception | None = None
        self.call = session.stub.ModelStreamInfer(iter([_request(session.model, wire.ATTACH_INPUT, wire.encode(said))]))
        self.reading = threading.Event()
        self.reading.set()
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def cut(self) -> None:
        """Hang up: what is on its way is lost."""
        with self._session.changed:
            self._is_cut = True
        self.call.cancel()

    def _read(self) -> None:
        try:
            for response in self.call:
                if response.error_message:
                    raise RuntimeError(response.error_message)
                for data in messages(response):
                    self.reading.wait()
                    self._take(data)
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()
            with self._session.changed:
                self._session.changed.notify_all()

    def _take(self, data: bytes) -> None:
        with self._session.changed:
            if not self._is_cut:
                self._session.take(self, wire.decode_message(data))


class Session:
    """A session at `address`. `acks`: all that is read is acknowledged; `keeps`: all messages are in `log`."""

    def __init__(
        self,
        address: str,
        name: str = "s",
        *,
        model: str = "synthetic",
        acks: bool = True,
        keeps: bool = True,
        window_bytes: int = 8 << 20,
    ) -> None:
        self.model = model
        self.name = name
        self.heard: dict[int, Heard] = defaultdict(Heard)
        self.log: list[wire.Message] = []
        self.changed = threading.Condition()
        self.seen = self.told_heard = self.room = self.rotations = 0
        self.life, self.fresh = "", False
        self.came_at = 0.0
        self._address = address
        self._acks = acks
        self._keeps = keeps
        self._window_bytes = window_bytes
        self._number = 0
        self._handles = 0
        self._said: deque[tuple[int, Any]] = deque()
        self._commands: Any = None
        self._connect()
        self.attached = self.attach()
        self.until(lambda: self.life)

    # Streams

    def _connect(self) -> None:
        self.channel = grpc.insecure_channel(self._address, options=OPTIONS)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)

    def attach(self) -> Attached:
        self.attached = Attached(self, wire.Attach(self.name, self.seen, self._window_bytes))
        return self.attached

    def lose_connection(self) -> None:
        """Everything breaks at once; then attach anew, and say again what may not have been heard."""
        with self.changed:
            self.attached._is_cut = True
        self.channel.close()
        self._connect()
        self.attach()
        with self.changed:
            self._open_control()
            for number, request in self._said:
                if number > self.told_heard:
                    self._commands.put(request)

    def command(self, *commands: wire.Command) -> int:
        """Send a batch; gives its number."""
        with self.changed:
            if self._commands is None:
                self._open_control()
            self._number += 1
            said = wire.encode(wire.Commands(self.name, self._number, commands))
            request = _request(self.model, wire.COMMANDS_INPUT, said)
            while self._said and self._said[0][0] <= self.told_heard:
                self._said.popleft()
            self._said.append((self._number, request))
            self._commands.put(request)
            return self._number

    def _open_control(self) -> None:
        self._commands = queue.SimpleQueue()
        call = self.stub.ModelStreamInfer(iter(self._commands.get, None))
        threading.Thread(target=_drain, args=(call,), daemon=True).start()

    def close_control(self) -> None:
        with self.changed:
            if self._commands is not None:
                self._commands.put(None)
            self._commands = None

    def close(self) -> None:
        self.close_control()
        self.channel.close()

    # What comes

    def take(self, attached: Attached, message: wire.Message) -> None:
        """Take the next message; called with `changed` held."""
        self.came_at = time.monotonic()
        if self._keeps:
            self.log.append(message)
        if message.hello is not None:
            self._greet(message.hello)
        assert message.number in (0, self.seen + 1), (message.number, self.seen)
        self.seen = max(self.seen, message.number)
        self.told_heard = max(self.told_heard, message.heard)
        self.room = message.room
        attached.bye = message.bye
        self._read(message)
        self.changed.notify_all()
        if message.number and self._acks:
            self.command(wire.Ack(message.number))
        if message.bye == "rotate":
            self.rotations += 1
            self.attach()

    def _greet(self, hello: wire.Hello) -> None:
        self.life, self.fresh = hello.life, hello.fresh
        if hello.fresh:
            self.seen = self.told_heard = self._number = 0
            self._said.clear()

    def _read(self, message: wire.Message) -> None:
        for adoption in message.adoptions:
            self.heard[adoption.handle].adopted = adoption.resumed
        if message.frames is not None:
            self._frames(message.frames)
        for ending in message.endings:
            heard = self.heard[ending.handle]
            assert not heard.ended
            heard.usage, heard.failure, heard.ended = ending.usage, ending.failure, True

    def _frames(self, frames: wire.Frames) -> None:
        at = 0
        for row, handle in enumerate(frames.handles):
            stop = at + frames.counts[row]
            frame = (frames.choices[row], frames.tokens[at:stop], frames.deltas[row], frames.finishes.get(row, ""))
            assert not self.heard[handle].ended
            self.heard[handle].frames.append(frame)
            at = stop

    def until(self, fact: Callable[[], Any], timeout_s: float = 30) -> Any:
        """Wait until something is so."""
        with self.changed:
            assert self.changed.wait_for(fact, timeout_s), (self.attached.error, self.attached.bye, self.seen)
            return fact()

    def until_ended(self, handles: Sequence[int], timeout_s: float = 60) -> None:
        self.until(lambda: all(self.heard[handle].ended for handle in handles), timeout_s)

    # Commands

    def submits(self, bodies: Mapping[str, bytes], partition: str = "", epoch: int = 1, **more: Any) -> list[int]:
        """Submit a chat for each id in one batch, in a partition of this session's own; gives the handles."""
        handles = self._name(len(bodies))
        partition = partition or f"q/{self.name}"
        more.setdefault("surface", "chat")
        self.command(
            *(
                wire.Submit(handle=handle, id=id, partition=partition, epoch=epoch, body=body, **more)
                for handle, (id, body) in zip(handles, bodies.items(), strict=True)
            )
        )
        return handles

    def adopts(self, heard: Mapping[str, Heard], partition: str, epoch: int = 2) -> list[int]:
        """Adopt generations after what was heard of them elsewhere; gives the handles."""
        handles = self._name(len(heard))
        self.command(
            *(
                adopt(handle, id, each, partition, epoch)
                for handle, (id, each) in zip(handles, heard.items(), strict=True)
            )
        )
        return handles

    def _name(self, count: int) -> list[int]:
        first = self._handles + 1
        self._handles += count
        return list(range(first, self._handles + 1))


def _drain(call: Any) -> None:
    """Read what answers commands."""
    with contextlib.suppress(grpc.RpcError):
        for _ in call:
            pass


def adopt(handle: int, id: str, heard: Heard, partition: str, epoch: int) -> wire.Adopt:
    tokens = {choice: heard.tokens(choice) for choice in {frame[0] for frame in heard.frames}}
    lengths = {choice: len(each) for choice, each in tokens.items()}
    return wire.Adopt(handle, id, partition, epoch, lengths, wire.tokens_digest(tokens), len(heard.frames))
