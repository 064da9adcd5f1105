from pathlib import Path

import msgspec
import pytest

from inferno_engine.measuring.way_out import Bench, Plan

pytestmark = pytest.mark.stack


async def test_a_session_is_ten_times_as_fast_as_one_response_a_token(tmp_path: Path):
    """That all tokens came once is seen to by the bench itself."""
    plan = Plan(one_by_one=10, unpaced=400, paced=50, adopted=100, adopt_after_s=0.5)
    figures = await Bench(tmp_path, plan).run()
    assert all(value > 0 for value in msgspec.structs.asdict(figures).values())
    assert figures.session_tokens_s > 10 * figures.one_by_one_tokens_s
