from typing import Any

import pytest

from inferno_core.errors import InvalidRequest
from inferno_engine.synthetic.faults import FIELD, Fault, fault


def test_a_request_may_ask_for_a_fault():
    body = {FIELD: {"kind": "slow", "token": 3, "seconds": 0.5}}
    assert fault(body, allowed=True) == Fault("slow", 3, 0.5)
    assert fault({}, allowed=True) is None


@pytest.mark.parametrize(
    ("value", "allowed"),
    [({"kind": "crash"}, False), ({"kind": "melt"}, True), ({"kind": "hang", "when": 3}, True), ("crash", True)],
)
def test_a_fault_that_is_not_allowed_or_not_known_is_refused_by_name(value: Any, allowed: bool):
    with pytest.raises(InvalidRequest) as refused:
        fault({FIELD: value}, allowed=allowed)
    assert refused.value.param == FIELD
