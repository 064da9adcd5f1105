import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hearing import Heard, ask, call, whole
from inferno_backend.seam import Usage
from inferno_backend.synthetic_engine import SyntheticEngine

from inferno_core.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from inferno_engine.synthetic.faults import FIELD
from inferno_engine.synthetic.request import completion_text

Make = Callable[..., SyntheticEngine]
LONG = {"prompt": "long", "max_tokens": 5000}


class Steps:
    """Counts how often the engine said that a step was over, and has others wait for the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()

    def until(self, is_so: Callable[[], bool], timeout_s: float = 10) -> None:
        with self._changed:
            assert self._changed.wait_for(is_so, timeout_s)


@pytest.fixture
def make() -> Iterator[Make]:
    engines: list[SyntheticEngine] = []

    def made(stepped: Callable[[], None] = lambda: None, **arguments: Any) -> SyntheticEngine:
        engines.append(SyntheticEngine(**{"step_ms": 0, **arguments}))
        engines[-1].open(stepped)
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def test_an_answer_is_what_the_pure_function_says(make: Make):
    heard = ask(make(), "completion", {"prompt": "hello", "seed": 3})
    assert whole(heard.said())[0].text == completion_text("hello", seed=3)
    assert heard.calls == ["begin", "end"]


def test_it_tells_how_long_its_phases_took(make: Make):
    engine = make(step_ms=5, max_num_seqs=1, prefill_tokens_per_step=8)
    first, later = Heard(), Heard()
    engine.start(call("completion", {"prompt": "p", "max_tokens": 10}), first)
    engine.start(call("completion", {"prompt": "p " * 32, "max_tokens": 4}), later)
    phases = first.over().phases
    assert phases is not None
    assert phases.decode_s > 0.03
    waited = later.over().phases
    assert waited is not None
    assert waited.queued_s > 0.03
    assert waited.prefill_s > 0.01
    assert waited.decode_s > 0.01


def test_it_says_when_a_step_is_over_and_once_a_step(make: Make):
    steps = Steps()
    engine = make(steps)
    ask(engine, "completion", {"prompt": "p", "max_tokens": 10, "n": 4})
    steps.until(lambda: steps.count == 10)
    assert engine.stats.steps >= 10


def test_a_refusal_is_told_at_once(make: Make):
    steps = Steps()
    engine = make(steps, max_model_len=100)
    refused = ask(engine, "completion", {"prompt": "p", "max_tokens": 100})
    assert isinstance(refused.error, ContextLengthExceeded)
    assert (refused.calls, steps.count) == (["fail"], 1)
    assert isinstance(ask(engine, "chat", {"messages": []}).error, InvalidRequest)


def test_nothing_is_told_after_a_cancellation(make: Make):
    engine = make()
    gone, kept = Heard(), Heard()
    leaving = call("completion", LONG)
    engine.start(leaving, gone)
    engine.start(call("completion", {"prompt": "kept", "max_tokens": 3000}), kept)
    gone.gained(3)
    engine.cancel([leaving.id, "unknown"])
    count = len(gone.gains)
    assert whole(kept.over().said())[0].text == completion_text("kept", max_tokens=3000)
    assert (len(gone.gains), gone.calls) == (count, ["begin"])


def test_those_that_wait_can_be_cancelled_with_those_that_run(make: Make):
    engine = make(max_num_seqs=2)
    heard = [Heard() for _ in range(10)]
    calls = [call("completion", LONG) for _ in heard]
    for each, reply in zip(calls, heard, strict=True):
        engine.start(each, reply)
    heard[0].gained(1)
    engine.cancel([each.id for each in calls])
    assert ask(engine, "completion", {"prompt": "p", "max_tokens": 2}).usage
    assert [len(reply.gains) for reply in heard[2:]] == [0] * 8


def test_priorities_order_those_that_wait(make: Make):
    engine = make(max_num_seqs=1)
    holding, order = Heard(), []
    held = call("completion", LONG)
    engine.start(held, holding)
    holding.gained(1)
    waiting = {priority: Heard() for priority in (5, 0, -5)}
    for priority, reply in waiting.items():
        reply.put = lambda _, priority=priority: order.append(priority)  # type: ignore[method-assign]
        engine.start(call("completion", {"prompt": "p", "max_tokens": 1}, priority=priority), reply)
    engine.cancel([held.id])
    for reply in waiting.values():
        reply.over()
    assert order == [-5, 0, 5]


def test_preemption_leaves_every_text_as_it_is(make: Make):
    """All of 24 answers don't fit the cache together: some give way, and are told as if nothing had happened."""
    engine = make(max_model_len=1024, kv_cache_tokens=2048)
    heard = [Heard() for _ in range(24)]
    for seed, reply in enumerate(heard):
        engine.start(call("completion", {"prompt": "p", "max_tokens": 300, "seed": seed}), reply)
    for seed, reply in enumerate(heard):
        made = whole(reply.over().said())[0]
        assert made.text == completion_text("p", max_tokens=300, seed=seed)
        assert len(made.tokens) == 300
    assert engine.stats.preemptions > 0
    assert engine.stats.generation_tokens == 24 * 300


def test_the_longest_prompt_fits_the_smallest_cache(make: Make):
    engine = make(max_model_len=64, kv_cache_tokens=64)
    heard = ask(engine, "completion", {"prompt": "w " * 63})
    assert heard.usage
    assert heard.usage[:2] == (63, 1)
    assert ask(engine, "embedding", {"input": "w " * 64}).usage
    with pytest.raises(ValueError, match="kv_cache_tokens"):
        SyntheticEngine(max_model_len=64, kv_cache_tokens=63)


def test_a_step_takes_its_time(make: Make):
    engine = make(step_ms=10)
    ask(engine, "completion", {"prompt": "p", "max_tokens": 20})
    assert engine.stats.step_time.count >= 20
    assert engine.stats.step_time.sum >= 20 * 0.01
    assert engine.stats.itl.count == 19
    assert engine.stats.ttft.count == 1


def test_it_counts_what_it_does(make: Make):
    engine = make()
    prompt = "w " * 40
    assert ask(engine, "completion", {"prompt": prompt, "max_tokens": 5, "n": 2}).usage
    second = ask(engine, "completion", {"prompt": prompt, "max_tokens": 5})
    assert second.usage == Usage(40, 5, 32)
    stats = engine.stats
    assert (stats.prompt_tokens, stats.generation_tokens) == (80, 15)
    assert (stats.prefix_cache_queries, stats.prefix_cache_hits) == (120, 64)


def test_a_fault_is_refused_unless_the_model_has_them(make: Make):
    refused = ask(make(), "completion", {"prompt": "p", FIELD: {"kind": "crash"}})
    assert isinstance(refused.error, InvalidRequest)


def test_an_error_ends_the_generation_that_asked_for_it_alone(make: Make):
    engine = make(faults=True)
    beside = Heard()
    engine.start(call("completion", {"prompt": "beside", "max_tokens": 50}), beside)
    broken = ask(engine, "completion", {"prompt": "p", "n": 2, FIELD: {"kind": "error", "token": 3}})
    assert isinstance(broken.error, EngineFailed)
    assert len([gain for gain in broken.gains if gain.index == 0]) == 3
    assert whole(beside.over().said())[0].text == completion_text("beside", max_tokens=50)


def test_a_fault_comes_again_where_its_generation_goes_on_unless_it_is_to_come_once(make: Make):
    engine = make(faults=True)
    body = {"prompt": "p", "max_tokens": 9, FIELD: {"kind": "error", "token": 3}}
    pieces = ask(engine, "completion", body).pieces()
    assert ask(engine, "completion", body, accepted=pieces).error
    once = body | {FIELD: {"kind": "error", "token": 3, "once": True}}
    assert ask(engine, "completion", once, accepted=pieces).usage


def test_a_slow_step_holds_up_everybody(make: Make):
    engine = make(faults=True)
    ask(engine, "completion", {"prompt": "p", "max_tokens": 3, FIELD: {"kind": "slow", "token": 1, "seconds": 0.3}})
    assert engine.stats.step_time.sum >= 0.3


def test_an_engine_that_fails_is_dead_and_tells_everybody(make: Make, monkeypatch: pytest.MonkeyPatch):
    engine = make()
    waiting = Heard()
    engine.start(call("completion", LONG), waiting)
    waiting.gained(1)

    def fail(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("inferno_backend.synthetic_stats.Observer.observe", fail)
    assert isinstance(waiting.over().error, EngineFailed)
    assert engine.dead
    assert isinstance(ask(engine, "completion", {"prompt": "p"}).error, EngineFailed)


def test_a_request_that_nobody_foresaw_fails_alone(make: Make):
    engine = make()
    assert isinstance(ask(engine, "completion", None).error, EngineFailed)  # type: ignore[arg-type]
    assert ask(engine, "completion", {"prompt": "p", "max_tokens": 1}).usage


def test_a_hung_engine_makes_no_step_and_can_still_be_closed(make: Make):
    engine = make(faults=True)
    hung = Heard()
    engine.start(call("completion", {"prompt": "p", FIELD: {"kind": "hang", "token": 2}}), hung)
    hung.gained(2)
    asking = Heard()
    engine.start(call("completion", {"prompt": "p"}), asking)
    engine.cancel(["nobody"])
    with pytest.raises(AssertionError):
        asking.over(timeout_s=0.2)
    assert len(hung.gains) == 2
    engine.close()
