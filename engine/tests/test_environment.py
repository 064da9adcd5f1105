from pathlib import Path

import pytest
from serving import ROOT

from inferno_engine import environment
from inferno_engine.environment import Environment
from inferno_engine.errors import SetupFailed
from inferno_engine.progress import Progress


def test_an_environment_that_is_there_is_left_alone():
    made = environment.ensure_triton_environment(ROOT)
    told: list[Progress] = []
    assert environment.ensure_triton_environment(ROOT, told.append) == made
    assert told == []
    assert made.python.exists()


def test_locks_that_are_missing_are_named(tmp_path: Path):
    with pytest.raises(SetupFailed, match=r"triton\.lock is missing"):
        environment.ensure_triton_environment(tmp_path)


def test_a_lock_that_cannot_be_installed_leaves_no_stamp(tmp_path: Path):
    requirements = tmp_path / "engine" / "requirements"
    requirements.mkdir(parents=True)
    (requirements / "triton.lock").write_text("numpy==1.26.4 --hash=sha256:" + "0" * 64 + " trailing nonsense\n")
    with pytest.raises(SetupFailed, match="uv says"):
        environment.ensure_triton_environment(tmp_path)
    assert environment._stamp(Environment(tmp_path / ".venv-triton")) == ""


def test_locks_name_no_host():
    for lock in (ROOT / "engine" / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text()
