from pathlib import Path
from typing import Any

from inferno_engine.measuring.comparison import OURS, Engine, Figures, measure
from inferno_engine.measuring.load import Load, Measured


class FakeProcess:
    def __init__(self) -> None:
        self.paused = True

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def cpu_s(self) -> float:
        return 0.0


class FakeDriver:
    def __init__(self, process: FakeProcess, rate: float, log: list[Any]) -> None:
        self._process, self._rate, self._log = process, rate, log

    async def run(self, load: Load) -> Measured:
        assert not self._process.paused
        self._log.append((load.round, load.streams, self._rate))
        return Measured(load, 100, 100 / self._rate)


async def test_engines_take_turns_and_stand_still_between(monkeypatch):
    monkeypatch.setattr("inferno_engine.measuring.comparison._IDLE_S", 0.01)
    log: list[Any] = []
    processes = [FakeProcess(), FakeProcess()]
    engines: list[Any] = [
        Engine(name, FakeDriver(process, rate, log), process, still=True)  # type: ignore[arg-type]  # fakes
        for name, process, rate in zip((OURS, "other"), processes, (30.0, 20.0), strict=True)
    ]
    figures = await measure(engines, ((1, 8), (4, 8)), rounds=2)
    assert log[:4] == [(0, 1, 30.0), (0, 1, 20.0), (0, 4, 30.0), (0, 4, 20.0)]
    assert log[4:6] == [(1, 1, 20.0), (1, 1, 30.0)]
    assert len(figures.rates[OURS][1]) == 2
    assert all(process.paused for process in processes)


def test_a_ratio_is_the_median_of_pairs():
    rates = {OURS: {1: [10.0, 20.0, 30.0]}, "other": {1: [10.0, 10.0, 40.0]}}
    figures = Figures(rates, {})
    assert figures.ratios() == {"other": {1: 1.0}}
    assert "| session ÷ other | 1.00 |" in figures.markdown()
    assert "| other | 10.0 |" in figures.markdown()


def test_the_program_measures_in_the_checkout():
    from inferno_engine.measuring import comparison

    assert Path(comparison._MODEL / "1" / "model.json").is_file()
