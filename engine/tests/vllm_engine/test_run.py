from types import SimpleNamespace
from typing import Any

import pytest
from inferno_backend.seam import Gain, OpenAICall, Render, Usage
from inferno_backend.vllm_engine.run import ChoiceSeat, Run

from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.records import Phases


class Ear:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, render: Render) -> None:
        self.heard.append("begin")

    def put(self, gain: Gain) -> None:
        self.heard.append(gain.index)

    def end(self, usage: Usage) -> None:
        self.heard.append(usage)

    def fail(self, error: InfernoError) -> None:
        self.heard.append(error.code)


class Case:
    def __init__(self, choices: int) -> None:
        self.ear = Ear()
        self.forgotten: list[Run] = []
        self.run = Run(OpenAICall("a", "chat", {}), self.ear, self.forgotten.append)
        self.run.begin(lambda gains: [], choices, 5)
        self.seats = [
            ChoiceSeat(self.run, index, index, SimpleNamespace(request_id=f"a/{index}")) for index in range(choices)
        ]

    def says(self, index: int, tokens: int, finish: str | None = None) -> bool:
        gained = SimpleNamespace(token_ids=[1] * tokens, finish_reason=finish)
        return self.seats[index].take(SimpleNamespace(outputs=[gained], num_cached_tokens=3))


def test_it_ends_with_its_last_choice_and_counts_the_prompt_once():
    case = Case(2)
    case.says(0, 1)
    case.says(1, 2, "stop")
    case.says(0, 4, "length")
    assert case.ear.heard == ["begin", 0, 1, 0, Usage(5, 7, 3)]
    assert case.forgotten == [case.run]


@pytest.mark.parametrize("finish", ["error", "abort"])
def test_what_the_engine_gave_up_fails_as_a_whole(finish: str):
    case = Case(2)
    assert case.says(0, 0, finish)
    assert not case.says(1, 1)
    assert case.ear.heard == ["begin", "engine_failed"]
    assert case.run.failed


def test_its_phases_are_those_of_its_first_choice(monkeypatch: pytest.MonkeyPatch):
    case = Case(2)
    case.run.asked_s = 10.0
    case.seats[1].scheduled(10.5, 11.0)
    case.seats[0].scheduled(12.0, 13.0)
    monkeypatch.setattr("time.monotonic", lambda: 15.0)
    case.says(0, 1, "stop")
    case.says(1, 1, "stop")
    assert case.ear.heard[-1].phases == Phases(queued_s=0.5, prefill_s=0.5, decode_s=4.0)


def test_nothing_is_told_after_it_was_dropped():
    case = Case(1)
    case.run.drop()
    assert not case.says(0, 1, "stop")
    case.run.fail(EngineFailed("No."))
    assert case.ear.heard == ["begin"]
    assert case.seats[0].over


def test_one_without_an_open_choice_ends_as_it_begins():
    case = Case(0)
    assert case.ear.heard == ["begin", Usage(5, 0, 0)]
