from types import SimpleNamespace
from typing import Any

import pytest
from inferno_backend.seam import Stats
from inferno_backend.vllm_engine.tally import Tally

PREEMPTION, SCHEDULING = 3, 2


def step(tally: Tally, now_s: float, seats: list[Any], running: int = 1) -> None:
    prefix = SimpleNamespace(queries=10, hits=4)
    told = SimpleNamespace(
        num_running_reqs=running,
        num_waiting_reqs=2,
        num_skipped_waiting_reqs=1,
        kv_cache_usage=0.5,
        prefix_cache_stats=prefix,
    )
    events = [SimpleNamespace(type=PREEMPTION), SimpleNamespace(type=SCHEDULING, timestamp=now_s - 0.125)]
    outputs = [SimpleNamespace(request_id=seat.id, new_token_ids=[1], events=events) for seat in seats]
    tally.begin(SimpleNamespace(scheduler_stats=told, outputs=outputs), now_s)  # type: ignore[arg-type]
    for seat in seats:
        tally.output(seat, SimpleNamespace(prompt_token_ids=[1, 2, 3]))
    tally.end()


def seat(asked_s: float, *, speaks: bool = True) -> Any:
    scheduled: list[tuple[float, float]] = []
    return SimpleNamespace(
        id=f"{asked_s}",
        asked_s=asked_s,
        last_s=0.0,
        speaks=speaks,
        times=scheduled,
        scheduled=lambda *times: scheduled.append(times),
    )


def test_gauges_are_those_of_the_last_step_and_counters_of_all():
    stats = Stats()
    tally = Tally(stats, PREEMPTION, SCHEDULING)
    mine = seat(0.5)
    step(tally, 1.0, [mine])
    step(tally, 1.25, [mine])
    assert (stats.running, stats.waiting, stats.kv_cache_usage, stats.last_step, stats.steps) == (1, 3, 0.5, 1.25, 2)
    assert (stats.prompt_tokens, stats.generation_tokens, stats.preemptions) == (3, 2, 2)
    assert (stats.prefix_cache_queries, stats.prefix_cache_hits) == (20, 8)


def test_waits_are_observed_for_each_seat():
    stats = Stats()
    tally = Tally(stats, PREEMPTION, SCHEDULING)
    seats = [seat(0.0), seat(0.5)]
    step(tally, 1.0, seats)
    step(tally, 1.25, seats)
    assert (stats.ttft.count, stats.ttft.sum) == (2, 1.5)
    assert (stats.itl.count, stats.itl.sum) == (2, 0.5)


def test_a_seat_is_told_once_when_its_turn_came():
    mine = seat(0.0)
    tally = Tally(Stats(), PREEMPTION, SCHEDULING)
    step(tally, 1.0, [mine])
    step(tally, 1.25, [mine])
    assert mine.times == [(0.875, 1.0)]


def test_a_vector_has_no_first_token():
    stats = Stats()
    step(Tally(stats, PREEMPTION, SCHEDULING), 1.0, [seat(0.0, speaks=False)])
    assert (stats.ttft.count, stats.prompt_tokens) == (0, 3)


def test_a_steps_time_does_not_begin_before_there_was_work():
    stats = Stats()
    tally = Tally(stats, PREEMPTION, SCHEDULING)
    tally.asked(1.0)
    step(tally, 1.5, [], running=1)
    assert stats.step_time.sum == pytest.approx(0.5)
    step(tally, 2.0, [], running=1)
    assert stats.step_time.count == 2
