"""The thread that owns the sessions, with an engine played by hand and no Triton."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from fake_engine import FakeEngine, Words, spelt
from inferno_backend.rendering import SLOW_S
from inferno_backend.seam import Choice, Gain
from inferno_backend.sessions import desk as desk_module
from inferno_backend.sessions.desk import Desk
from triton_python_backend_utils import InferenceResponse

from inferno_core import session as wire
from inferno_core.errors import EngineFailed, EngineLost, InvalidRequest
from inferno_core.session import Attach, Commands, Message, Submit


class Worker:
    """A sender of Triton's that reads what is sent, and a session's commands."""

    def __init__(self, desk: Desk, name: str = "s", window_bytes: int = 1 << 20) -> None:
        self.messages: list[Message] = []
        self.finals = 0
        self.cancelled = False
        self.refusals = 0
        self.changed = threading.Condition()
        self._desk = desk
        self._name = name
        self._number = 0
        desk.attach(self, Attach(name, 0, window_bytes))

    def send(self, response: InferenceResponse | None = None, flags: int = 0) -> None:
        with self.changed:
            if self.refusals and flags:
                self.refusals -= 1
                raise RuntimeError("No room in shared memory.")
            for data in response.values["session"] if response is not None else ():
                self.messages.append(wire.decode_message(data))
            self.finals += flags
            self.changed.notify_all()

    def is_cancelled(self) -> bool:
        return self.cancelled

    def until(self, fact: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(fact, 5), self.messages

    def acknowledge_until(self, fact: Callable[[], object]) -> None:
        """Acknowledge what comes, until something is so."""
        told = {0}

        def is_news() -> bool:
            return {each.number for each in self.messages} > told

        while not fact():
            self.until(lambda: is_news() or fact())
            told |= {each.number for each in self.messages}
            self.command(wire.Ack(max(told)))

    def command(self, *commands: wire.Command) -> None:
        self._number += 1
        self._desk.command(Commands(self._name, self._number, commands))

    def submit(self, handle: int, id: str, body: bytes = b"{}", epoch: int = 1) -> None:
        self.command(Submit(handle, id, f"q/{self._name}", epoch, "chat", body))

    def words(self, handle: int) -> list[bytes]:
        return [
            delta
            for message in self.messages
            if message.frames is not None
            for each, delta in zip(message.frames.handles, message.frames.deltas, strict=True)
            if each == handle
        ]

    def ending(self, handle: int) -> wire.Ending | None:
        ends = [ending for message in self.messages for ending in message.endings if ending.handle == handle]
        return ends[0] if ends else None

    def code(self, handle: int) -> str:
        self.until(lambda: self.ending(handle))
        ending = self.ending(handle)
        assert ending is not None
        assert ending.failure is not None
        return ending.failure.code


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def desk(engine: FakeEngine) -> Iterator[Desk]:
    desk = Desk(engine)
    engine.open(desk.stepped)
    yield desk
    desk.close(5)


@pytest.fixture
def worker(engine: FakeEngine, desk: Desk) -> Worker:
    worker = Worker(desk)
    worker.submit(1, "g")
    engine.key("g")
    return worker


def test_words_and_the_end_are_passed_on(engine: FakeEngine, worker: Worker):
    engine.say("g", "a", "b")
    worker.until(lambda: worker.words(1) == [b"ab"])
    engine.say("g", "c", finish="stop")
    engine.end("g")
    worker.until(lambda: worker.ending(1))
    assert worker.words(1) == [b"ab", b"c"]
    ending = worker.ending(1)
    assert ending is not None
    assert ending.usage is not None
    assert ending.usage.completion_tokens == 2


def test_a_message_says_when_its_step_ended(engine: FakeEngine, worker: Worker):
    engine.stats.last_step = at = time.monotonic()
    engine.say("g", "a")
    worker.until(lambda: worker.words(1))
    assert worker.messages[-1].at == at


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(worker: Worker, body: bytes):
    worker.submit(2, "h", body)
    assert worker.code(2) == "invalid_request"


def test_what_the_engine_refuses_is_told(engine: FakeEngine, worker: Worker):
    engine.refuses = InvalidRequest("No.")
    worker.submit(2, "h")
    assert worker.code(2) == "invalid_request"
    engine.refuses = RuntimeError("Broken.")
    worker.submit(3, "i")
    assert worker.code(3) == "engine_failed"


def test_what_cannot_be_put_into_words_fails_alone(engine: FakeEngine, worker: Worker):
    def broken(gains: Sequence[Gain]) -> Sequence[Choice]:
        raise KeyError("tool")

    engine.render = Words(broken)
    worker.submit(2, "h")
    key = engine.key("h")
    engine.say("h", "a")
    assert worker.code(2) == "engine_failed"
    engine.until(lambda: engine.cancelled == [key])
    engine.say("g", "a")
    worker.until(lambda: worker.words(1) == [b"a"])


def test_failures_of_a_dead_engine_are_told_apart(engine: FakeEngine, worker: Worker):
    worker.submit(2, "h")
    engine.fail("h", EngineFailed("This request alone."))
    assert worker.code(2) == "engine_failed"
    engine.dead = "It was killed."
    engine.fail("g", EngineFailed("All of them."))
    assert worker.code(1) == "engine_lost"


def test_who_hears_of_a_dead_engine_hears_that_it_has_no_room(engine: FakeEngine, worker: Worker):
    engine.say("g", "a")
    worker.until(lambda: worker.words(1))
    assert worker.messages[-1].room > 0
    engine.dead = "It was killed."
    engine.fail("g", EngineFailed("All of them."))
    worker.until(lambda: worker.ending(1))
    assert next(each.room for each in worker.messages if each.endings) == 0


def test_who_has_gone_is_noticed_and_answered_once(engine: FakeEngine, worker: Worker):
    worker.cancelled = True
    worker.until(lambda: worker.finals == 1)
    engine.say("g", "a")
    assert worker.words(1) == []


def test_leave_is_taken_even_if_at_first_there_is_no_room(desk: Desk, worker: Worker):
    worker.refusals = 3
    worker.cancelled = True
    worker.until(lambda: worker.finals == 1)
    assert worker.refusals == 0


def test_a_slow_one_holds_up_nobody_and_tells_everything(engine: FakeEngine, worker: Worker):
    slow = threading.Event()

    def slowly(gains: Sequence[Gain]) -> Sequence[Choice]:
        until = time.thread_time() + 3 * SLOW_S
        while time.thread_time() < until:
            pass
        if threading.current_thread().name == "slow speaker":
            slow.set()
        return spelt(gains)

    engine.render = Words(slowly)
    worker.submit(2, "h")
    words = [chr(97 + number % 26) for number in range(300)]
    for word in words:
        engine.say("h", word)
        engine.say("g", word)
    engine.end("h")
    engine.end("g")
    worker.until(lambda: worker.ending(1) and worker.ending(2))
    whole = "".join(words).encode()
    assert b"".join(worker.words(1)) == b"".join(worker.words(2)) == whole
    assert slow.is_set()
    # What it gained meanwhile was told together.
    assert len(worker.words(2)) < len(words) / 2


def test_one_without_credit_waits_and_loses_nothing(engine: FakeEngine, desk: Desk):
    worker = Worker(desk, window_bytes=1)
    worker.submit(1, "g")
    for word in "abcdef":
        engine.say("g", word)
    worker.until(lambda: worker.words(1))
    told = len(b"".join(worker.words(1)))
    number = worker.messages[-1].number
    engine.say("g", "g")
    worker.command(wire.Ack(number))
    worker.until(lambda: len(b"".join(worker.words(1))) > told)
    worker.command(wire.Ack(number + 1))
    worker.until(lambda: b"".join(worker.words(1)) == b"abcdefg")


def test_what_waits_for_credit_takes_little_memory_and_is_told_in_frames_of_the_usual_size(
    engine: FakeEngine, desk: Desk
):
    engine.render = Words(spelt)
    worker = Worker(desk, window_bytes=1)
    worker.submit(1, "g")
    tray = engine.tray("g")
    words = [chr(97 + number % 26) for number in range(6_400)]
    engine.say("g", "!")
    worker.until(lambda: worker.words(1))
    engine.say("g", *words)
    with engine.render.changed:
        assert engine.render.changed.wait_for(lambda: engine.render.joined >= 6_300, 5)
    desk.close(5)
    assert len(tray.gains) == 100
    assert "".join(gain.raw for gain in tray.gains) == "".join(words)
    assert len(tray.take(64)) == 1


def test_one_that_has_too_much_waiting_is_ended_and_its_neighbours_are_not(
    engine: FakeEngine, desk: Desk, worker: Worker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk_module, "MOST_WAITING", 500)
    engine.render = Words(spelt, apart=True)
    stalled = Worker(desk, "stalled", window_bytes=1)
    stalled.submit(1, "old")
    stalled.submit(2, "young")
    key = engine.key("young")
    engine.say("old", "!")
    stalled.until(lambda: stalled.words(1))
    tray = engine.tray("young")
    engine.say("old", *"a" * 300)
    engine.say("young", *"b" * 300)
    engine.until(lambda: engine.cancelled == [key])
    engine.say("g", "a")
    worker.until(lambda: worker.words(1) == [b"a"])
    stalled.acknowledge_until(lambda: stalled.ending(2) and b"".join(stalled.words(1)) == b"!" + b"a" * 300)
    assert stalled.code(2) == "engine_lost"
    assert stalled.words(2) == tray.gains == []


def test_a_slow_one_that_tells_log_probabilities_tells_few_at_once(engine: FakeEngine, worker: Worker):
    told: list[int] = []

    def slowly(gains: Sequence[Gain]) -> Sequence[Choice]:
        told.append(len(gains))
        until = time.thread_time() + 3 * SLOW_S
        while time.thread_time() < until:
            pass
        return spelt(gains)

    engine.render = Words(slowly, apart=True)
    engine.render.most = 10
    worker.submit(2, "h")
    engine.say("h", *"a" * 200)
    engine.say("h", *"b" * 100, finish="stop")
    engine.end("h")
    worker.until(lambda: worker.ending(2))
    assert b"".join(worker.words(2)) == b"a" * 200 + b"b" * 100
    assert max(told[3:]) == 10


def test_a_desk_that_retires_takes_leave_when_all_is_told(engine: FakeEngine, desk: Desk, worker: Worker):
    desk.retire()
    engine.say("g", "a")
    worker.until(lambda: worker.words(1))
    assert not desk.dismissed.is_set()
    engine.end("g")
    worker.until(lambda: worker.finals)
    assert worker.messages[-1].bye == "retiring"
    assert desk.dismissed.wait(5)


def test_a_desk_that_retires_for_a_reason_tells_it_to_all(engine: FakeEngine, desk: Desk, worker: Worker):
    desk.retire(EngineLost("Dead."))
    assert worker.code(1) == "engine_lost"
    worker.until(lambda: worker.finals)
    assert desk.dismissed.wait(5)


def test_one_failure_does_not_end_the_desk(engine: FakeEngine, desk: Desk, worker: Worker):
    desk.command(None)  # type: ignore[arg-type]  # nothing that anybody should say
    engine.say("g", "a")
    worker.until(lambda: worker.words(1) == [b"a"])


def test_it_counts_turns_with_nothing_to_do(engine: FakeEngine, worker: Worker, desk: Desk):
    before, looked = desk.turns, threading.Event()
    while desk.turns < before + 3:
        assert not looked.wait(0.01)
