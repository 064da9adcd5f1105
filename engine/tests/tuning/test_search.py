import pytest

from inferno_engine.tuning.factors import Factor, Machine
from inferno_engine.tuning.search import Search, gain_of
from inferno_engine.tuning.settings import Settings

MACHINE = Machine(2, 0, {})
START = Settings({"a": 1, "b": 1}, {})
FACTORS = [
    Factor("a", "", lambda _, __: {str(value): {"a": value} for value in (1, 2, 3)}),
    Factor("b", "", lambda _, __: {str(value): {"b": value} for value in (1, 2)}),
]


def run(speed: dict[tuple[int, int], float]) -> tuple[Settings, list[tuple[int, int]]]:
    """Search where settings (a, b) have such a speed; those without one are out."""
    search, asked = Search(START, FACTORS, MACHINE), []
    while (trial := search.next()) is not None:
        at = lambda settings: (settings.arguments["a"], settings.arguments["b"])  # noqa: E731
        asked.append(at(trial.settings))
        mine = speed.get(at(trial.settings))
        search.tell(trial, None if mine is None else mine / speed[at(trial.best)])
    return search.best, asked


def test_each_value_meets_the_best_so_far_and_none_is_tried_twice():
    best, asked = run({(1, 1): 10, (2, 1): 20, (3, 1): 15, (2, 2): 30})
    assert asked == [(2, 1), (3, 1), (2, 2)]
    assert best.arguments == {"a": 2, "b": 2}


def test_what_is_out_is_never_the_best():
    best, asked = run({(1, 1): 10, (3, 1): 5})
    assert best == START
    assert asked == [(2, 1), (3, 1), (1, 2)]


def test_a_gain_within_the_noise_changes_nothing():
    best, _ = run({(1, 1): 100, (2, 1): 101, (3, 1): 101, (1, 2): 101})
    assert best == START


def test_the_gain_weighs_all_loads_alike():
    assert gain_of([(20, 10), (10, 20)]) == pytest.approx(1)
    assert gain_of([(40, 10), (10, 10)]) == pytest.approx(2)
