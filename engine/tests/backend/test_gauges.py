from typing import Any

import pytest
import triton_python_backend_utils as pb_utils
from inferno_backend import gauges
from inferno_backend.gauges import Gauges
from inferno_backend.seam import Stats


@pytest.fixture
def page() -> dict[str, float]:
    """What Triton would tell, by name and labels."""
    pb_utils.page.clear()
    return pb_utils.page


def shown(name: str, **labels: str) -> str:
    return name + "".join(f",{key}={value}" for key, value in {"model": "m", "version": "1", **labels}.items())


def test_what_stands_now_is_told_as_it_is(page: dict[str, float]):
    told, stats = Gauges("m", "1"), Stats()
    for running in (5, 3):
        stats.running, stats.kv_cache_usage = running, running / 10
        told.update(stats)
        assert page[shown("vllm:num_requests_running")] == running
        assert page[shown("vllm:kv_cache_usage_perc")] == running / 10


def test_what_only_grows_is_told_by_what_was_added(page: dict[str, float]):
    told, stats = Gauges("m", "1"), Stats()
    for tokens in (5, 5, 12):
        stats.generation_tokens = tokens
        told.update(stats)
    assert page[shown("vllm:generation_tokens_total")] == 12
    # A second life of the same version goes on from there.
    Gauges("m", "1").update(Stats(generation_tokens=3))
    assert page[shown("vllm:generation_tokens_total")] == 15


def test_a_histogram_is_told_as_what_it_consists_of(page: dict[str, float]):
    told, stats = Gauges("m", "1"), Stats()
    stats.ttft.observe(0.03)
    stats.ttft.observe(100, times=2)
    told.update(stats)
    name = "vllm:time_to_first_token_seconds"
    bounds = ("0.025", "0.05", "60", "+Inf")
    assert [page[shown(f"{name}_bucket", le=bound)] for bound in bounds] == [0, 1, 1, 3]
    assert (page[shown(f"{name}_count")], page[shown(f"{name}_sum")]) == (3, 200.03)


def test_only_what_changed_is_told(page: dict[str, float]):
    told, stats = Gauges("m", "1"), Stats(steps=1)
    told.update(stats)
    messages = pb_utils.messages
    told.update(stats)
    assert pb_utils.messages == messages


def test_at_the_end_nothing_runs_any_more(page: dict[str, float]):
    told = Gauges("m", "1")
    told.update(Stats(running=5, steps=9))
    told.close()
    assert (page[shown("vllm:num_requests_running")], page[shown("vllm:engine_steps_total")]) == (0, 9)


@pytest.mark.parametrize(("said", "is_open"), [("true", True), (None, True), ("false", False), ("NO", False)])
def test_a_model_may_be_configured_to_report_none(page: dict[str, float], said: str | None, is_open: bool):
    parameters: dict[str, Any] = {} if said is None else {gauges.PARAMETER: {"string_value": said}}
    assert (gauges.open({"name": "m", "parameters": parameters}, "1") is not None) == is_open


def test_without_metrics_in_triton_there_are_none(page: dict[str, float], monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: Any) -> None:
        raise pb_utils.TritonModelException("metrics are off")

    monkeypatch.setattr(pb_utils, "MetricFamily", refuse)
    refuse_kinds = {"COUNTER": 0, "GAUGE": 1}
    for name, value in refuse_kinds.items():
        setattr(refuse, name, value)
    assert gauges.open({"name": "m"}, "1") is None
