import itertools
import threading
import time

import pytest
from fake_engine import FakeEngine
from inferno_backend import pulse
from inferno_backend.pulse import Pulse


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_LOOK_S", 0.01)


class Watch:
    """Looks after an engine that has something to do, or not."""

    def __init__(self, engine: FakeEngine, deadline_s: float, works: bool = True, turns: bool = True) -> None:
        self.reason = ""
        self.died = threading.Event()
        self.looked = threading.Semaphore(0)
        self._works = works
        count = itertools.count() if turns else itertools.repeat(0)
        self._pulse = Pulse(engine, deadline_s, self._look, lambda: next(count), self._die)

    def _look(self) -> bool:
        self.looked.release()
        return self._works

    def _die(self, reason: str) -> None:
        self.reason = reason
        self.died.set()

    def looks(self, times: int) -> None:
        for _ in range(times):
            assert self.looked.acquire(timeout=5)


def test_an_engine_that_says_it_is_dead_is():
    engine = FakeEngine()
    watch = Watch(engine, 60.0)
    engine.dead = "It was killed."
    assert watch.died.wait(5)
    assert watch.reason == "It was killed."


def test_one_that_works_and_makes_no_step_is_dead():
    watch = Watch(FakeEngine(), 0.05)
    assert watch.died.wait(5)
    assert "0.05 s" in watch.reason


def test_one_whose_words_nobody_hears_is_as_good_as_dead():
    watch = Watch(FakeEngine(), 0.05, works=False, turns=False)
    assert watch.died.wait(5)
    assert watch.reason == "No worker was told of anything for 0.05 s."


def test_one_that_has_nothing_to_do_is_not():
    watch = Watch(FakeEngine(), 0.02, works=False)
    watch.looks(20)
    assert not watch.died.is_set()


def test_nor_is_one_that_makes_steps():
    engine = FakeEngine()
    watch = Watch(engine, 0.03)
    for _ in range(20):
        engine.stats.last_step = time.monotonic()
        watch.looks(1)
    assert not watch.died.is_set()


def test_the_deadline_is_a_parameter_of_the_model():
    assert pulse.deadline_s({}) == pulse.DEFAULT_S
    assert pulse.deadline_s({"parameters": {"step_deadline_s": {"string_value": "7.5"}}}) == 7.5
    for wrong in ("soon", "0", "-1", "nan"):
        with pytest.raises(ValueError, match="step_deadline_s"):
            pulse.deadline_s({"parameters": {"step_deadline_s": {"string_value": wrong}}})
