"""A session against a host that runs the backend's own state machine, over real gRPC."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
import pytest_asyncio
from fake_host import FakeHost, delta
from listener import Listener
from log_platform import MakeDraft, Until

from inferno_core import session as wire
from inferno_core.acceptance import History
from inferno_core.effects import EngineFrame
from inferno_core.errors import InvalidRequest
from inferno_core.records import Final, Frame, Outcome, Request, Usage
from inferno_stream import control
from inferno_stream import session as module
from inferno_stream.background import Tasks
from inferno_stream.engine import HostLeft, HostLost, Order, Place
from inferno_stream.session import Session, SessionFlight
from inferno_stream.triton import Triton

NAME = "worker"


def text(stop: int, start: int = 0) -> bytes:
    return b"".join(map(delta, range(start, stop)))


class Ground:
    """What sessions under test share."""

    def __init__(self, draft: MakeDraft, stack: AsyncExitStack, until: Until) -> None:
        self._draft = draft
        self._stack = stack
        self._until = until
        self._tasks = Tasks()
        self._handles = count(1)
        self.fences: dict[str, int] = {}
        self.changes = 0
        self.lost = 0

    async def session(self, host: FakeHost, *, name: str = NAME) -> Session:
        """Open a session."""
        triton = Triton(host.address, 5.0)
        session = Session(
            triton,
            "model",
            "1",
            name=name,
            handles=self._handles,
            fences=self.fences,
            changed=self._changed,
            on_lost=self._lost,
        )
        self._tasks.spawn(session.run())
        self._stack.push_async_callback(triton.close)
        self._stack.push_async_callback(self._tasks.cancel)
        self._stack.push_async_callback(session.close)
        await self._until(lambda: session.is_open)
        return session

    def _changed(self) -> None:
        self.changes += 1

    def _lost(self) -> None:
        self.lost += 1

    def request(self, id: str = "id", **changes: object) -> Request:
        """Make a request that was just asked for."""
        return self._draft().request(id, "reader", 2_000_000_000_000)


def place(session: Session, *, runs: bool = False) -> Place:
    if not runs:
        session.hold(1)
    return Place("host", session.life, "print", "model", "1", slots=0 if runs else 1, runs=runs)


def order(request: Request, epoch: int = 1, history: History | None = None) -> Order:
    return Order(request, "queue/0", epoch, history)


def history_of(frames: list[EngineFrame], id: str = "id") -> History:
    """The log, with these frames."""
    history = History()
    for frame in frames:
        index = history.next.get(frame.choice, 0)
        history.frame(Frame(id, 1, frame.choice, index, frame.tokens, frame.delta, frame.finish, frame.final))
    return history


@pytest_asyncio.fixture
async def ground(draft: MakeDraft, until: Until) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        yield Ground(draft, stack, until)


@pytest_asyncio.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with FakeHost() as host:
        yield host


@pytest_asyncio.fixture
async def session(ground: Ground, host: FakeHost) -> Session:
    return await ground.session(host)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that loses patience soon."""
    monkeypatch.setattr(module, "_TICK_S", 0.02)
    monkeypatch.setattr(module, "_SILENT_TICKS", 15)
    monkeypatch.setattr(module, "_MEND_S", 0.3)
    monkeypatch.setattr(module, "_IDLE_PAUSE_S", 0.05)


def begin(session: Session, request: Request, listener: Listener, **more: object) -> SessionFlight:
    return session.start(order(request, **more), place(session), listener)  # type: ignore[arg-type]  # of two types


async def begun(
    session: Session, host: FakeHost, request: Request, until: Until, **more: object
) -> tuple[SessionFlight, Listener]:
    """Begin a generation, and wait until the engine works at it."""
    listener = Listener()
    flight = begin(session, request, listener, **more)
    await until(lambda: request.id in host.running)
    return flight, listener


async def test_words_come_as_they_are_made_and_the_end_with_the_last(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.step(4)
    await until(lambda: listener.final)
    assert listener.text == text(4)
    assert [frame.tokens for frame in listener.frames] == [(0,), (1,), (2,), (3,)]
    assert [frame.finish for frame in listener.frames] == [None, None, None, "stop"]
    assert listener.final == Final(Outcome.FINISHED, usage=Usage(3, 4))
    assert session.running == 0


async def test_what_is_submitted_in_one_turn_travels_together_and_room_is_kept_count_of(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    assert session.free == 8
    listeners = [Listener() for _ in range(5)]
    for number, listener in enumerate(listeners):
        begin(session, ground.request(str(number)), listener)
    assert session.free == 3
    await until(lambda: len(host.running) == 5)
    await until(lambda: session.free == 3)
    changes = ground.changes
    host.step(4)
    await until(lambda: all(listener.final for listener in listeners))
    await until(lambda: session.free == 8)
    assert ground.changes > changes
    assert host.host.audience.sessions[NAME].heard == 1


async def test_a_failure_of_the_request_is_its_end(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.fail(InvalidRequest("Too long.", param="messages"))
    await until(lambda: listener.errors)
    (error,) = listener.errors
    assert (error.code, error.message, error.param) == ("invalid_request", "Too long.", "messages")


async def test_a_dead_engine_is_no_end(ground: Ground, host: FakeHost, session: Session, until: Until) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.step()
    host.die()
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    assert listener.final is None


async def test_cancelled_it_stops_at_once(ground: Ground, host: FakeHost, session: Session, until: Until) -> None:
    flight, listener = await begun(session, host, ground.request(), until)
    flight.cancel()
    await until(lambda: host.aborted == 1)
    host.step()
    assert listener.frames == []
    assert not host.host.runs


async def test_only_what_the_log_has_is_acknowledged(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    flight, first = await begun(session, host, ground.request("1"), until)
    _, second = await begun(session, host, ground.request("2"), until)
    host.step(2)
    await until(lambda: len(second.frames) == 2)
    second.settle()
    first.receipts.pop(0).settle()
    await until(lambda: wire.Ack(1) in host.heard)
    assert wire.Ack(2) not in host.heard
    assert session.unacknowledged_bytes > 0
    flight.cancel()
    first.settle()
    await until(lambda: wire.Ack(2) in host.heard)
    assert session.unacknowledged_bytes == 0


async def test_a_lagging_log_stops_the_host_and_blames_no_engine(
    ground: Ground, host: FakeHost, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WINDOW_BYTES", 600)
    session = await ground.session(host)
    host.length = 100
    flight, listener = await begun(session, host, ground.request(), until)
    host.step(50)
    await until(lambda: listener.frames)
    await asyncio.sleep(0.1)
    assert len(listener.frames) < 50
    assert flight.blocked
    told = len(listener.frames)
    for _ in range(20):
        listener.settle()
        await asyncio.sleep(0.02)
    await until(lambda: len(listener.frames) > told)
    while len(listener.frames) < 50:
        listener.settle()
        await asyncio.sleep(0.01)
    assert listener.text == text(50)


async def test_a_broken_attach_is_mended_without_a_word_lost_or_twice(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    host.length = 20
    _, listener = await begun(session, host, ground.request(), until)
    for _ in range(4):
        host.step(5)
        host.cut()
        attached = len(host.attached)
        await until(lambda attached=attached: len(host.attached) > attached)
    await until(lambda: listener.final)
    assert listener.text == text(20)
    assert listener.errors == []
    assert ground.lost == 0


async def test_a_rotation_is_followed_at_once(ground: Ground, host: FakeHost, session: Session, until: Until) -> None:
    host.length = 6
    _, listener = await begun(session, host, ground.request(), until)
    host.step(2)
    host.rotate()
    host.step(2)
    await until(lambda: len(host.attached) == 2)
    host.step(2)
    await until(lambda: listener.final)
    assert listener.text == text(6)
    assert session.is_open


async def test_a_connection_that_breaks_is_opened_again(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    host.length = 6
    _, listener = await begun(session, host, ground.request(), until)
    host.step(3)
    await host.kill()
    await host.start()
    await until(lambda: len(host.attached) > 1)
    host.step(3)
    await until(lambda: listener.final)
    assert listener.text == text(6)
    _, other = await begun(session, host, ground.request("2"), until)
    host.step(6)
    await until(lambda: other.final)


@pytest.mark.usefixtures("quick")
async def test_a_host_that_does_not_come_back_is_lost(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    await host.kill()
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    assert ground.lost == 1
    assert session.free == 0
    await host.start()
    await until(lambda: session.free == 8)
    assert wire.Cancel((1,)) in host.heard
    assert host.aborted == 1


@pytest.mark.usefixtures("quick")
async def test_silence_is_listened_to_anew_and_a_refusal_then_is_a_loss(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.mute = True
    await until(lambda: len(host.attached) == 2)
    assert listener.errors == []
    host.refuses = True
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    host.mute = host.refuses = False
    host.restart_engine()
    await until(lambda: session.is_open)


@pytest.mark.usefixtures("quick")
async def test_another_life_of_the_engine_is_a_loss_and_work_begins_anew(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    ground.fences["queue/0"] = 1
    _, listener = await begun(session, host, ground.request(), until)
    host.step()
    await until(lambda: listener.frames)
    host.restart_engine()
    host.cut()
    await until(lambda: listener.errors)
    assert type(listener.errors[0]) is HostLost
    await until(lambda: session.is_open and session.life == "life-1+")
    await until(lambda: session.has_fenced("queue/0"))
    _, again = await begun(session, host, ground.request("2"), until)
    host.step(4)
    await until(lambda: again.final)
    again.settle()
    await until(lambda: not host.host.runs)


async def test_a_host_that_forgot_the_worker_lost_no_engine(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.forget()
    host.cut()
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLeft)


async def test_who_goes_on_gives_the_accepted_frames_and_gets_the_rest(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    said = [EngineFrame(0, (0,), delta(0)), EngineFrame(0, (), b""), EngineFrame(0, (1, 2), delta(1) + delta(2))]
    _, listener = await begun(session, host, ground.request(), until, history=history_of(said))
    (submit,) = [command for command in host.heard if isinstance(command, wire.Submit)]
    assert submit.accepted == (wire.Piece(0, (0,)), wire.Piece(0, ()), wire.Piece(0, (1, 2)))
    host.step()
    await until(lambda: listener.final)
    assert listener.text == delta(3)


async def test_another_worker_adopts_what_runs_from_where_the_log_is(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    host.length = 10
    _, first = await begun(session, host, ground.request(), until)
    host.step(5)
    await until(lambda: len(first.frames) == 5)
    ground.fences["queue/0"] = 2
    heir = await ground.session(host, name="heir")
    await until(lambda: heir.has_fenced("queue/0"))
    adopted = Listener()
    heir.start(order(ground.request(), 2, history_of(first.frames[:3])), place(heir, runs=True), adopted)
    await until(lambda: len(adopted.frames) == 2)
    host.step(5)
    await until(lambda: adopted.final)
    assert adopted.text == text(10, 3)
    assert host.aborted == 0


async def test_what_was_let_go_is_kept_though_the_rest_is_acknowledged(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    host.length = 10
    flight, first = await begun(session, host, ground.request(), until)
    _, other = await begun(session, host, ground.request("2"), until)
    host.step(5)
    await until(lambda: len(other.frames) == 5)
    flight.release()
    first.settle()
    other.settle()
    await until(lambda: session.unacknowledged_bytes == 0)
    ground.fences["queue/0"] = 2
    adopted = Listener()
    session.fence("queue/0", 2)
    await until(lambda: session.has_fenced("queue/0"))
    session.start(order(ground.request(), 2, history_of(first.frames[:1])), place(session, runs=True), adopted)
    host.step(5)
    await until(lambda: adopted.final)
    assert adopted.text == text(10, 1)


async def test_other_tokens_are_not_adopted(ground: Ground, host: FakeHost, session: Session, until: Until) -> None:
    flight, first = await begun(session, host, ground.request(), until)
    host.step(2)
    await until(lambda: len(first.frames) == 2)
    flight.release()
    other = [EngineFrame(0, (7,), delta(7))]
    adopted = Listener()
    session.start(order(ground.request(), 1, history_of(other)), place(session, runs=True), adopted)
    await until(lambda: adopted.errors)
    assert isinstance(adopted.errors[0], HostLost)


async def test_a_fenced_worker_is_told_nothing_that_it_could_tell(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    ground.fences["queue/0"] = 2
    heir = await ground.session(host, name="heir")
    await until(lambda: heir.has_fenced("queue/0"))
    listener = Listener()
    begin(session, ground.request(), listener)
    await until(lambda: session.free == 4)
    host.step()
    _, later = await begun(heir, host, ground.request("2"), until, epoch=2)
    host.step(4)
    await until(lambda: later.final)
    assert (listener.frames, listener.errors) == ([], [])


async def test_a_host_that_retires_is_listened_to_until_all_is_said(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.step()
    host.retire()
    await until(lambda: session.free == 0)
    host.step(3)
    await until(lambda: session.retired)
    assert listener.text == text(4)
    assert listener.errors == []
    await until(lambda: host.streams == 0)


async def test_commands_that_were_not_heard_are_said_again(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    host.refuses = True
    listener = Listener()
    begin(session, ground.request(), listener)
    await until(lambda: session.free == 0)
    host.refuses = False
    await until(lambda: host.running)
    host.step(4)
    await until(lambda: listener.final)
    assert listener.text == text(4)


async def test_a_stream_on_which_nothing_is_heard_is_given_up(
    ground: Ground, host: FakeHost, session: Session, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_STALLED_TICKS", 1)
    host.deaf = True
    listener = Listener()
    begin(session, ground.request(), listener)
    await until(lambda: host.unheard == 1)
    host.deaf = False
    await until(lambda: host.running)
    assert len(host.attached) == 1


async def test_a_message_that_is_missing_is_a_loss(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.step()
    await until(lambda: listener.frames)
    host.say(wire.encode(wire.Message(7, 1, 8)))
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)
    await until(lambda: session.is_open)


async def test_what_can_not_be_read_is_a_loss(ground: Ground, host: FakeHost, session: Session, until: Until) -> None:
    _, listener = await begun(session, host, ground.request(), until)
    host.say(b"\xc1")
    await until(lambda: listener.errors)
    assert isinstance(listener.errors[0], HostLost)


async def test_a_place_of_another_life_is_no_more(ground: Ground, host: FakeHost, session: Session) -> None:
    old = Place("host", "life-0", "print", "model", "1")
    with pytest.raises(HostLeft):
        session.start(order(ground.request()), old, Listener())
    assert session.free == 8


async def test_room_that_was_kept_in_another_life_is_not_given_back_in_this_one(
    ground: Ground, host: FakeHost, session: Session, until: Until
) -> None:
    kept = [place(session) for _ in range(3)]
    assert session.free == 5
    session.drop(kept[0])
    assert session.free == 6
    host.restart_engine()
    host.cut()
    await until(lambda: session.is_open and session.life == "life-1+")
    assert session.free == 8
    session.drop(kept[1])
    assert session.free == 8


async def test_five_hundred_and_twelve_generations(ground: Ground, until: Until) -> None:
    async with FakeHost(slots=512, length=20) as host:
        session = await ground.session(host)
        listeners = [Listener() for _ in range(512)]
        for number, listener in enumerate(listeners):
            begin(session, ground.request(str(number)), listener)
        await until(lambda: len(host.running) == 512)
        for _ in range(20):
            host.step()
            await asyncio.sleep(0)
        await until(lambda: all(listener.final for listener in listeners))
        assert all(listener.text == text(20) for listener in listeners)
        for listener in listeners:
            listener.settle()
        await until(lambda: not host.host.runs)
