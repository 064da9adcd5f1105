from collections import deque

from fake_engine import FakeEngine
from inferno_backend.sessions.starter import Starter
from inferno_backend.tray import End, News, collect

from inferno_core.errors import EngineLost, InvalidRequest
from inferno_core.hosted import Run, Session
from inferno_core.session import Piece, Submit


class Stage:
    """A starter, its engine, and how often it told of failures."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.news: News = deque()
        self.failures: list[None] = []
        self.starter = Starter(self.engine, self.news, lambda: self.failures.append(None))

    def add(self, key: str, body: bytes = b"{}", **more: object) -> Run:
        submit = Submit(1, key, "q/0", 1, "chat", body, **more)  # type: ignore[arg-type]  # by name
        run = Run(key, submit, Session("s"), 0.0)
        self.starter.add(run, submit)
        return run

    def ending(self) -> End | None:
        (tray,) = collect(self.news)
        return tray.ending


def test_what_was_added_begins_in_its_order_and_as_it_was_asked_for():
    stage = Stage()
    stage.add("a", b'{"n": 1}', priority=2, allowance=5, accepted=(Piece(0, (1,)),))
    stage.add("b")
    assert not stage.starter.begin(1.0)
    assert list(stage.engine.calls) == ["a", "b"]
    call = stage.engine.call("a")
    assert (call.body, call.priority, call.allowance, call.accepted) == ({"n": 1}, 2, 5, (Piece(0, (1,)),))


def test_no_longer_than_it_may():
    stage = Stage()
    for key in "abc":
        stage.add(key)
    assert stage.starter.begin(0.0)
    assert list(stage.engine.calls) == ["a"]
    assert stage.starter.begin(0.0)
    assert not stage.starter.begin(0.0)


def test_what_is_aborted_before_its_turn_never_begins():
    stage = Stage()
    for key in "ab":
        stage.add(key)
    stage.starter.begin(0.0)
    stage.starter.abort(["a", "b"])
    assert not stage.starter.begin(1.0)
    assert (list(stage.engine.calls), stage.engine.cancelled) == (["a"], ["a"])


def test_a_failure_is_told():
    stage = Stage()
    stage.engine.refuses = InvalidRequest("No.")
    stage.add("a", b"no JSON")
    stage.starter.begin(1.0)
    ending = stage.ending()
    assert ending is not None
    assert isinstance(ending.error, InvalidRequest)
    assert len(stage.failures) == 1


def test_once_all_are_refused_none_begins():
    stage = Stage()
    stage.starter.refusal = EngineLost("Dead.")
    stage.add("a")
    stage.starter.begin(1.0)
    assert stage.ending() == End(error=stage.starter.refusal)
    assert not stage.engine.calls
