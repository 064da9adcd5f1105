import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["teapot"], "There are: smollm2, synthetic"),
        (["--factors", "colour"], "There are: threads, dtype"),
        (["--engine-args", "none.json"], "none.json can't be read"),
        (["--output", "/no/such/folder/best.json"], "there is no folder"),
    ],
)
def test_bad_input_is_said_before_anything_starts(tmp_path: Path, inferno: Any, args: list[str], said: str) -> None:
    done = inferno(tmp_path, "engine", "tune", *args)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.stack
def test_a_quick_search_finds_what_is_faster(tmp_path: Path, inferno: Any) -> None:
    """The synthetic engine begins with too few slots for 32 streams, and with an argument that it does not know."""
    start, best = tmp_path / "start.json", tmp_path / "best.json"
    start.write_text(json.dumps({"max_num_seqs": 16, "step_ms": 3}))
    args = ["--quick", "--factors", "max_num_seqs,async_scheduling", "--engine-args", str(start), "--output", str(best)]
    done = inferno(tmp_path / "home", "engine", "tune", "synthetic", *args)
    assert done.returncode == 0, done.stderr
    # All larger numbers have room for 32 streams; which of them is ahead is the machine's mood.
    assert json.loads(best.read_text())["max_num_seqs"] >= 32
    assert "async_scheduling on: out: failed" in done.stdout
    # What was measured is not measured again.
    assert inferno(tmp_path / "home", "engine", "tune", "synthetic", *args).stdout == done.stdout
