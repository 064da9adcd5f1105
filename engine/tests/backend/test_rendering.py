import time
from collections.abc import Sequence

import pytest
from inferno_backend import rendering
from inferno_backend.rendering import SLOW_S, Rendering
from inferno_backend.seam import Gain

from inferno_core.errors import EngineFailed, InvalidRequest


class Render:
    """Takes as much CPU as it is told."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self.cost_s = cost_s

    def __call__(self, gains: Sequence[Gain]) -> Sequence[Gain]:
        until = time.thread_time() + self.cost_s
        while time.thread_time() < until:
            pass
        return gains


GAINS = [Gain(0, (1,), "a")]


def test_only_a_suspect_can_be_found_slow():
    said = Rendering(Render(2 * SLOW_S))
    assert said.push(GAINS) == GAINS
    assert not said.is_slow
    said.is_suspect = True
    said.push(GAINS)
    assert said.is_slow
    assert said.rested_at >= time.monotonic() + 8 * SLOW_S


def test_who_is_quick_again_is_slow_no_more():
    render = Render(2 * SLOW_S)
    said = Rendering(render)
    said.is_suspect = True
    said.push(GAINS)
    render.cost_s = 0.0
    said.push(GAINS)
    assert not said.is_slow


def test_one_that_costs_too_much_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rendering, "MOST_S", 3 * SLOW_S)
    said = Rendering(Render(2 * SLOW_S))
    said.is_suspect = True
    said.push(GAINS)
    with pytest.raises(EngineFailed, match="CPU"):
        said.push(GAINS)


def test_what_goes_wrong_is_the_engines_failure_unless_it_says_otherwise():
    def broken(gains: Sequence[Gain]) -> Sequence[Gain]:
        raise KeyError("tool")

    with pytest.raises(EngineFailed):
        Rendering(broken).push(GAINS)

    def refusing(gains: Sequence[Gain]) -> Sequence[Gain]:
        raise InvalidRequest("No.")

    with pytest.raises(InvalidRequest):
        Rendering(refusing).push(GAINS)
