"""vLLM goes on from tokens as if it had never stopped: the same tokens, words and ends, wherever it was cut.

Some cuts of every kind of generation; `make exactness` tries them all. docs/exactness.md tells what is promised.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from going_on.cases import SETTINGS
from serving import ROOT

from inferno_engine import environment, weights

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SCRIPTS = Path(__file__).parent / "going_on"
CUTS = 2
CASES = [case.name for case in SETTINGS["qwen3"].cases]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What came of all cases, asked of one engine at once."""
    made = environment.ensure_vllm_environment(ROOT)
    weights.ensure_smollm2(ROOT, made)
    file = tmp_path_factory.mktemp("going-on") / "report.json"
    argv = [made.python, str(SCRIPTS / "exactness.py"), "--cuts", str(CUTS), "--report", str(file)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=800)
    assert file.exists(), ran.stderr
    return json.loads(file.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_generation_that_was_cut_goes_on_exactly(report: Mapping[str, Any], name: str):
    (outcome,) = [each for each in report["outcomes"] if each["name"] == name]
    assert outcome["cuts"] == CUTS
    assert outcome["wrong"] == []


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("reasoning", {"reasoning", "content"}),
        ("reasoning, then JSON", {"reasoning", "content"}),
        ("reasoning, then a tool", {"reasoning", "tool 0 arguments"}),
        ("tool, hermes", {"content", "tool 0 arguments"}),
        ("tool, named", {"tool 0 arguments"}),
    ],
)
def test_there_was_to_be_cut_what_its_name_says(report: Mapping[str, Any], name: str, kinds: set[str]):
    (outcome,) = [each for each in report["outcomes"] if each["name"] == name]
    assert kinds <= set(outcome["kinds"])


def test_some_were_preempted_on_the_way(report: Mapping[str, Any]):
    assert report["preempted"] > 0


def test_tokens_that_a_grammar_refuses_end_that_generation_alone(report: Mapping[str, Any]):
    assert report["refused"] == "engine_failed"


def test_a_thinking_budget_is_led_through_accepted_tokens():
    made = environment.ensure_vllm_environment(ROOT)
    ran = subprocess.run([made.python, str(SCRIPTS / "thinking.py")], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
