from pathlib import Path

import pytest

from inferno_engine import machine
from inferno_engine.errors import Unverified
from inferno_engine.machine import Machine

GB = 1 << 30


def test_a_machine_has_cores_and_memory(tmp_path: Path):
    found = machine.look(tmp_path)
    assert found.cores >= 1
    assert found.memory_bytes >= found.memory_available_bytes > 0


def test_a_container_s_limit_counts(tmp_path: Path):
    (tmp_path / "memory.max").write_text(f"{GB // 4}\n")
    (tmp_path / "memory.current").write_text(f"{GB // 8}\n")
    found = machine.look(tmp_path)
    assert (found.memory_bytes, found.memory_available_bytes) == (GB // 4, GB // 8)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.look(tmp_path).memory_bytes > GB // 4


def test_too_little_memory_is_said_with_the_way_out():
    machine.check_memory(GB, Machine(2, 4 * GB, 2 * GB))
    with pytest.raises(Unverified, match=r"at least 3\.0 GB of memory, and 2\.0 of 4\.0"):
        machine.check_memory(3 * GB, Machine(2, 4 * GB, 2 * GB))


def test_a_full_disk_is_said_for_a_folder_that_is_not_there_yet(tmp_path: Path):
    machine.check_disk(tmp_path / "not" / "yet", 1)
    with pytest.raises(Unverified, match="free some space"):
        machine.check_disk(tmp_path / "not" / "yet", 1 << 60)
