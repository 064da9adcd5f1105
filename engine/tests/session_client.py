"""A worker's side of sessions, as little of it as tests need: two streams, and what came on them, in order."""

import queue
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from inferno_core import session as wire
from inferno_core.records import Failure, Usage

OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))


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


class Attached:
    """One attach: reads to its end in a thread, and hands on each message."""

    def __init__(self, session: "Session", said: wire.Attach) -> None:
        self._session = session
        self.bye = ""
        self.error: Exception | None = None
        self.call = session.stub.ModelStreamInfer(iter([_request(session.model, wire.ATTACH_INPUT, wire.encode(said))]))
        self.reading = threading.Event()
        self.reading.set()
        self.ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for response in self.call:
                self.reading.wait()
                if response.error_message:
                    raise RuntimeError(response.error_message)
                for data in messages(response):
                    self._session.take(self, wire.decode_message(data), len(data))
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()


class Session:
    """A session at `address`. `acks`: everything that is read is acknowledged."""

    def __init__(self, address: str, model: str = "synthetic", name: str = "s", *, acks: bool = True, **attach: Any):
        self.model = model
        self.name = name
        self.channel = grpc.insecure_channel(address, options=[*OPTIONS, ("grpc.use_local_subchannel_pool", 1)])
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
        self.heard: dict[int, Heard] = defaultdict(Heard)
        self.log: list[wire.Message] = []
        self.changed = threading.Condition()
        self.seen = self.told_heard = self.room = self.bytes = 0
        self.life, self.fresh = "", None
        self.rotates = True
        self.came_at = 0.0
        self._acks = acks
        self._attach = attach
        self._number = 0
        self._handles = 0
        self._commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._control: Any = None
        self.attached = self.attach()

    # Streams

    def attach(self) -> Attached:
        self.attached = Attached(self, wire.Attach(self.name, self.seen, **self._attach))
        return self.attached

    def command(self, *commands: wire.Command) -> int:
        """Send a batch; gives its number."""
        if self._control is None:
            self._control = self.stub.ModelStreamInfer(iter(self._commands.get, None))
            threading.Thread(target=lambda: [None for _ in self._quietly(self._control)], daemon=True).start()
        self._number += 1
        said = wire.encode(wire.Commands(self.name, self._number, commands))
        self._commands.put(_request(self.model, wire.COMMANDS_INPUT, said))
        return self._number

    @staticmethod
    def _quietly(call: Any) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError:
            return

    def close_control(self) -> None:
        self._commands.put(None)

    def close(self) -> None:
        self.rotates = False
        self.close_control()
        self.channel.close()

    # What comes

    def take(self, attached: Attached, message: wire.Message, size: int) -> None:
        with self.changed:
            self._take(attached, message)
            self.bytes += size
            self.came_at = time.monotonic()
            self.changed.notify_all()
        if message.number and self._acks:
            self.command(wire.Ack(message.number))
        if message.bye == "rotate" and self.rotates:
            self.attach()

    def _take(self, attached: Attached, message: wire.Message) -> None:
        self.log.append(message)
        if message.hello is not None:
            self.life, self.fresh = message.hello.life, message.hello.fresh
        assert message.number in (0, self.seen + 1), (message.number, self.seen)
        self.seen = max(self.seen, message.number)
        self.told_heard = max(self.told_heard, message.heard)
        self.room = message.room
        attached.bye = message.bye
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

    def submits(
        self, ids: Sequence[str], body: bytes, partition: str = "q/0", epoch: int = 1, **more: Any
    ) -> list[int]:
        """Submit a generation for each id in one batch; gives the handles."""
        first = self._handles + 1
        self._handles += len(ids)
        handles = list(range(first, self._handles + 1))
        more.setdefault("surface", "completion")
        self.command(
            *(
                wire.Submit(handle=handle, id=id, partition=partition, epoch=epoch, body=body, **more)
                for handle, id in zip(handles, ids, strict=True)
            )
        )
        return handles

    def adopts(self, heard: dict[str, Heard], partition: str = "q/0", epoch: int = 2) -> list[int]:
        """Adopt generations after what was heard of them elsewhere; gives the handles."""
        first = self._handles + 1
        self._handles += len(heard)
        handles = list(range(first, self._handles + 1))
        self.command(
            *(
                adopt(handle, id, each, partition, epoch)
                for handle, (id, each) in zip(handles, heard.items(), strict=True)
            )
        )
        return handles


def adopt(handle: int, id: str, heard: Heard, partition: str, epoch: int) -> wire.Adopt:
    tokens = {choice: heard.tokens(choice) for choice in {frame[0] for frame in heard.frames}}
    lengths = {choice: len(each) for choice, each in tokens.items()}
    return wire.Adopt(handle, id, partition, epoch, lengths, wire.tokens_digest(tokens), len(heard.frames))
