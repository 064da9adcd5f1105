"""An edge and an engine that answer from a script, for tests of what stands on either side of the log."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from inferno_core import address
from inferno_core.address import Address
from inferno_core.effects import EngineFrame
from inferno_core.errors import InfernoError
from inferno_core.records import Final, Frame, Head, Outcome, Request, Surface, Usage
from inferno_stream.edge import Draft
from inferno_stream.engine import Claimed, Hearer, HostLost, Order, Place, Receipt
from inferno_stream.follower import Follower, Sink

Step = Sequence[EngineFrame]
"""What an engine gives at once."""

Script = Callable[[Draft], Iterable[Step | InfernoError]]


def words(*texts: str, surface: Surface = "chat", finish: str = "stop", prompt_tokens: int = 3) -> list[Step]:
    """Script an ordinary answer of one choice, a step and a token for each text."""
    final = Final(Outcome.FINISHED, usage=Usage(prompt_tokens, len(texts)))
    steps: list[Step] = []
    for number, text in enumerate(texts):
        last = number == len(texts) - 1
        ending = finish if last else None
        delta = _delta(surface, text, ending, first=number == 0)
        steps.append([EngineFrame(0, (1000 + number,), delta, ending, final if last else None)])
    return steps


def _delta(surface: Surface, text: str, finish: str | None, *, first: bool) -> bytes:
    choice: dict[str, object] = {"index": 0}
    if surface == "chat":
        choice["delta"] = ({"role": "assistant"} if first else {}) | {"content": text}
    else:
        choice["text"] = text
    return msgspec.json.encode(choice | {"logprobs": None, "finish_reason": finish})


class FakeEdge:
    """An `Edge` without Kafka: each submitted draft is answered by `script`, a step at each turn of the loop.

    An error in a script is raised by `submit` if it comes first, else it cuts the reader. `submitted` and `detached`
    tell what was asked for, and which ids were left before their end. `healthy` and `waiting` may be set, and that no
    worker `speaks`.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.submitted: list[Draft] = []
        self.detached: list[str] = []
        self.healthy: str | None = None
        self.waiting = 0
        self.speaks = True

    async def start(self) -> None:
        """Nothing to begin."""

    async def stop(self) -> None:
        """Stop answering."""
        for task in self._tasks:
            task.cancel()

    async def submit(self, draft: Draft, sink: Sink | None = None) -> Follower:
        """Answer `draft` from the script."""
        steps = list(self._script(draft))
        if steps and isinstance(steps[0], InfernoError):
            raise steps[0]
        self.submitted.append(draft)
        place = Address(incarnation=b"fake", topic=0, p=0, known=0, r=0, reply_from=0)
        id = address.issue(place, draft.surface, draft.tenant, b"fake" * 8)
        follower = Follower(id, secrets.token_hex(8), self._leave, sink)
        if self.speaks:
            task = asyncio.get_running_loop().create_task(self._answer(draft, follower, steps))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return follower

    def _leave(self, follower: Follower) -> None:
        if not follower.ended:
            self.detached.append(follower.id)

    async def _answer(self, draft: Draft, follower: Follower, steps: list[Step | InfernoError]) -> None:
        follower.feed(_head(draft.request(follower.id, follower.reader, int(time.time() * 1000))))
        counts: dict[int, int] = {}
        for step in steps:
            await asyncio.sleep(0)
            if isinstance(step, InfernoError):
                follower.cut(step)
                return
            for frame in step:
                follower.feed(_frame(follower.id, frame, counts))
            follower.flush()


def _head(request: Request) -> Head:
    return Head(
        id=request.id,
        epoch=0,
        surface=request.surface,
        created=request.created_ms // 1000,
        n=request.n,
        include_usage=request.include_usage,
        tenant=request.tenant,
        price=request.price,
        model=request.model,
        version=request.version,
        fingerprint="fake",
    )


def _frame(id: str, frame: EngineFrame, counts: dict[int, int]) -> Frame:
    index = counts.get(frame.choice, 0)
    counts[frame.choice] = index + len(frame.tokens)
    return Frame(
        id=id,
        epoch=0,
        choice=frame.choice,
        index=index,
        tokens=frame.tokens,
        delta=frame.delta,
        finish=frame.finish,
        final=frame.final,
    )


class FakeFlight:
    """A run of a `FakeEngine`."""

    blocked = False

    def __init__(self, engine: "FakeEngine", order: Order, hearer: Hearer) -> None:
        self._engine = engine
        self._id = order.request.id
        self._hearer = hearer
        self._task = asyncio.get_running_loop().create_task(self._fly(order))

    def cancel(self) -> None:
        """Stop, and be counted among those that were stopped."""
        self._leave(self._engine.stopped)

    def release(self) -> None:
        """Stop, and be counted among those that were let go."""
        self._leave(self._engine.released)

    def lose(self) -> None:
        """The engine is lost."""
        self._leave([])
        self._hearer.failed(HostLost("The engine is gone."))

    def _leave(self, left: list[str]) -> None:
        if self._engine.running.pop(self._id, None):
            left.append(self._id)
            self._task.cancel()

    async def _fly(self, order: Order) -> None:
        """Give the script's frames, without those that were accepted."""
        given = len(order.history.frames) if order.history is not None else 0
        for step in self._engine.script(order.request):
            await self._engine.pace()
            if isinstance(step, InfernoError):
                del self._engine.running[self._id]
                self._hearer.failed(step)
                return
            for frame in step:
                given -= 1
                if given < 0:
                    self._say(frame)

    def _say(self, frame: EngineFrame) -> None:
        if frame.final is not None:
            del self._engine.running[self._id]
        self._hearer.heard(frame, Receipt(asyncio.get_running_loop().time(), lambda: None))


class FakeEngine:
    """An `Engine` that answers from a script, a step each time that `pace` lets it, and that goes on from frames.

    `orders` has what was begun, `running` what is at work, `stopped` and `released` the ids that were stopped or let
    go before their end, `fences` the owners that were named. `place` is where everything runs; None: there is no room.
    """

    def __init__(
        self,
        script: Callable[[Request], Iterable[Step | InfernoError]],
        pace: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0),
    ) -> None:
        self.script = script
        self.pace = pace
        self.place: Place | None = Place("fake", "1", "fake", "model", "1")
        self.orders: list[Order] = []
        self.running: dict[str, FakeFlight] = {}
        self.stopped: list[str] = []
        self.released: list[str] = []
        self.given_back: list[Place] = []
        self.fences: dict[str, int] = {}

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Nothing changes here by itself."""

    def find(self, request: Request, *, claimed: Claimed | None = None, goes_on: bool = False) -> Place | None:
        """Give the one place there is."""
        return self.place

    def release(self, place: Place) -> None:
        """Note that it was not used."""
        self.given_back.append(place)

    def start(self, order: Order, place: Place, hearer: Hearer) -> FakeFlight:
        """Give the script's steps."""
        self.orders.append(order)
        flight = self.running[order.request.id] = FakeFlight(self, order, hearer)
        return flight

    def fence(self, partition: str, epoch: int) -> None:
        """Note the owner."""
        self.fences[partition] = epoch

    def forget(self, partition: str) -> None:
        """Forget the owner."""
        self.fences.pop(partition, None)
