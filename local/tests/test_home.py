from pathlib import Path

import pytest

from inferno_core.errors import Unavailable
from inferno_local.home import Home


def test_its_folders_are_closed_to_others(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    assert {folder.stat().st_mode & 0o777 for folder in (home.root, home.run, home.data, home.logs)} == {0o700}


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.at(Path(".inferno")).root == tmp_path / ".inferno"


@pytest.mark.parametrize(("name", "fits"), [("short", True), ("a b é", True), ("x" * 100, False), ("a,b", False)])
def test_a_socket_needs_a_short_path_without_commas(name: str, fits: bool) -> None:
    assert (Home(Path("/srv") / name).socket("redis.sock") is not None) is fits


def test_one_supervisor_a_home(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert not home.is_supervised()
    with home.supervised():
        assert home.is_supervised()
        with pytest.raises(Unavailable, match="Another supervisor"), home.supervised():
            pass
    assert not home.is_supervised()
