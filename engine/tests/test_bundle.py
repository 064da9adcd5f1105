import subprocess
from pathlib import Path

import pytest
from serving import ROOT

from inferno_engine import bundle
from inferno_engine.environment import Environment, ensure_triton_environment
from inferno_engine.errors import SetupFailed

IMPORTED = (
    "import sys; sys.path.insert(0, sys.argv[1]); import inferno_backend.engines, inferno_backend.synthetic_engine"
)


def test_the_backend_stands_on_its_own(tmp_path: Path):
    """All that it imports of the platform is beside it."""
    bundle.backend(tmp_path / "vllm")
    assert (tmp_path / "vllm" / "model.py").is_file()
    python = ensure_triton_environment(ROOT).python
    done = subprocess.run([python, "-I", "-c", IMPORTED, str(tmp_path / "vllm")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_triton_gets_both_backends_without_links(tmp_path: Path):
    bundle.assemble(ensure_triton_environment(ROOT).site_packages, tmp_path / "backends")
    assert sorted(path.name for path in (tmp_path / "backends").iterdir()) == ["python", "vllm"]
    assert (tmp_path / "backends" / "python" / "triton_python_backend_stub").is_file()
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_an_environment_without_a_server_is_said_to_be(tmp_path: Path):
    with pytest.raises(SetupFailed, match="holds no tritonserver"):
        bundle.assemble(Environment(tmp_path).site_packages, tmp_path / "backends")
