from pathlib import Path

from inferno_engine import shared_memory


def test_only_what_is_its_own_is_removed(tmp_path: Path):
    mine = Path("/dev/shm", shared_memory.prefix(tmp_path / "mine") + "region")
    other = Path("/dev/shm", shared_memory.prefix(tmp_path / "other") + "region")
    for region in (mine, other):
        region.touch()
    try:
        shared_memory.clean(tmp_path / "mine")
        assert (mine.exists(), other.exists()) == (False, True)
    finally:
        other.unlink()
