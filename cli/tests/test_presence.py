import time

import pytest

from inferno_cli.presence import NotServed, Told, _is_gone, _is_serving, told
from inferno_core.hosts import Host, HostedModel, ModelState


def model(state: ModelState, detail: str = "") -> HostedModel:
    return HostedModel("big", "1", state, time.time() - 40, expected_s=75.0, detail=detail)


def on(**states: ModelState) -> list[Told]:
    return [Told(host, model(state, "no memory.")) for host, state in states.items()]


def test_all_hosts_must_serve() -> None:
    assert _is_serving(on(a=ModelState.READY, b=ModelState.READY), 2) is None
    assert _is_serving(on(a=ModelState.READY), 2) == "waiting for the agents to notice"
    assert _is_serving(on(a=ModelState.READY, b=ModelState.LOADING), 2) == "loading on b: 40 s of about 75 s"
    assert _is_serving(on(a=ModelState.VERIFYING), 1) == "verifying on a: 40 s"


def test_one_that_fails_is_enough() -> None:
    with pytest.raises(NotServed, match="b can't serve big:1: no memory"):
        _is_serving(on(a=ModelState.READY, b=ModelState.FAILED), 2)


def test_what_retires_takes_nothing_new() -> None:
    assert _is_gone([]) is None
    assert _is_gone(on(a=ModelState.RETIRING)) is None
    assert _is_gone(on(a=ModelState.RETIRING, b=ModelState.READY)) == "waiting for b"


def test_only_the_version_that_is_asked_about_counts() -> None:
    host = Host("a", "", "", "", (model(ModelState.READY), HostedModel("big", "2", ModelState.FAILED, 0.0)))
    assert [each.model.version for each in told("big", "1", [host])] == ["1"]
