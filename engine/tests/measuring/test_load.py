import pytest

from inferno_core.errors import EngineFailed
from inferno_engine.measuring.load import Load, Measured


def test_no_prompt_begins_like_another():
    said = [body["messages"][0]["content"] for round in (0, 1) for body in Load(32, 8, round).bodies()]
    starts = {text[: text.index(" ")] for text in said}
    assert len(starts) == 64


def test_every_stream_says_all_its_tokens():
    (body,) = Load(1, 96).bodies()
    assert body["max_tokens"] == 96
    assert body["ignore_eos"]


def test_a_rate_is_of_whole_loads_only():
    load = Load(2, 50)
    assert Measured(load, 100, 4.0).checked().rate == 25
    with pytest.raises(EngineFailed, match="99 of 100 tokens"):
        Measured(load, 99, 4.0).checked()
