import json
import time
from typing import Any

import pytest

from inferno_api.requests import structure
from inferno_api.requests.fault import Fault


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "count"),
    [({}, 1), ([], 1), ([1, 2, 3], 3), ({"a": 1, "b": [1, 2]}, 4), ("a, b [c] {d}", 0), ('"\\", [', 0), ("\\\\", 0)],
)
def test_values_are_counted_outside_of_texts(value: Any, count: int) -> None:
    assert structure.values(json.dumps(value).encode(), 100) == count


def test_many_texts_are_many_values() -> None:
    assert structure.values(b"[" + b'"",' * 1000, 100) > 100


@pytest.mark.parametrize("data", [b'"' * 2_000_000, b"\\" * 4_000_000, b'"a\\' + b'\\"' * 2_000_000, b"[" * 4_000_000])
def test_hostile_bytes_are_counted_in_linear_time(data: bytes) -> None:
    started = time.process_time()
    structure.values(data, 1000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("value", "depth"), [(5, 0), ({}, 1), ([1], 1), ([[], 1], 2), ({"a": {"b": []}}, 3)])
def test_depth(value: Any, depth: int) -> None:
    assert structure.depth(value, 10) == depth


def test_depth_is_looked_for_as_far_as_it_matters() -> None:
    assert structure.depth(nested(100_000), 5) == 6


def test_what_is_too_large_or_too_deep_is_refused() -> None:
    structure.bound("f", nested(4), most_bytes=9, most_depth=4)
    with pytest.raises(Fault, match="more than 4 deep"):
        structure.bound("f", nested(5), most_bytes=99, most_depth=4)
    with pytest.raises(Fault, match="9 bytes"):
        structure.bound("f", nested(4), most_bytes=8)
