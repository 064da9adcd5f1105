from pathlib import Path

import psutil
import pytest
from serving import ROOT

from inferno_core.errors import Unavailable
from inferno_engine.environment import ensure_triton_environment
from inferno_engine.measuring import engine_process, host
from inferno_engine.measuring.host import Version
from inferno_engine.measuring.load import Load

CONFIG = (ROOT / "model_repository" / "synthetic" / "config.pbtxt").read_text()


def working_in(folder: Path) -> list[psutil.Process]:
    family = psutil.Process().children(recursive=True)
    return [each for each in family if each.status() != psutil.STATUS_ZOMBIE and Path(each.cwd()) == folder]


def test_a_configuration_names_its_engine():
    assert Version("synthetic", CONFIG, {}).engine == "synthetic"
    assert Version("smollm2", 'backend: "vllm"', {}).engine == "vllm"


async def test_a_host_serves_and_leaves_nothing(tmp_path: Path):
    version = Version("synthetic", CONFIG, {"step_ms": 1})
    async with host.serve("host", ensure_triton_environment(ROOT), tmp_path / "a host", version, 60) as served:
        assert served.process.cpu_s() > 0
        assert len(working_in(tmp_path / "a host")) >= 2
    assert not working_in(tmp_path / "a host")


async def test_why_a_version_can_not_be_loaded_is_said(tmp_path: Path):
    version = Version("synthetic", CONFIG, {"colour": "red"})
    with pytest.raises(Unavailable, match=r"synthetic can't be loaded: .*colour"):
        async with host.serve("host", ensure_triton_environment(ROOT), tmp_path / "host", version, 60):
            pass


async def test_the_same_engine_is_driven_without_triton(tmp_path: Path):
    version = Version("synthetic", CONFIG, {"step_ms": 1})
    environment = ensure_triton_environment(ROOT)
    async with engine_process.serve("engine", environment, tmp_path / "engine", version) as engine:
        assert (await engine.run(Load(streams=8, tokens=5))).tokens == 40
        assert (await engine.run(Load(streams=1, tokens=3, round=1))).tokens == 3
