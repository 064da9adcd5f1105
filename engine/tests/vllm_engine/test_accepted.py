from types import SimpleNamespace

import pytest
from inferno_backend.vllm_engine.accepted import KEY, accepted_of


@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        (SimpleNamespace(extra_args={KEY: [1, 2]}), [1, 2]),
        (SimpleNamespace(extra_args={"other": 1}), ()),
        (SimpleNamespace(extra_args=None), ()),
        (SimpleNamespace(), ()),
        (None, ()),
    ],
)
def test_accepted_tokens_are_read_from_wherever_there_are_any(params: object, tokens: object):
    assert accepted_of(params) == tokens
