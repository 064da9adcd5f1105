import os
from pathlib import Path

import pytest

from inferno_core.settings import SyntheticSettings
from inferno_engine import desired
from inferno_engine.errors import Unverified


def test_what_is_written_is_read(tmp_path: Path):
    models = [desired.synthetic(tmp_path, SyntheticSettings(step_ms=5), default=True)]
    desired.write(tmp_path / "folder" / "desired.json", models)
    assert desired.read(tmp_path / "folder" / "desired.json") == models


def test_a_missing_file_is_said_to_be(tmp_path: Path):
    with pytest.raises(Unverified, match="missing"):
        desired.read(tmp_path / "none.json")


def test_an_unknown_field_is_refused(tmp_path: Path):
    (tmp_path / "d.json").write_text('[{"name": "a", "version": "1", "source": "/s", "pickle": "x"}]')
    with pytest.raises(Unverified, match="pickle"):
        desired.read(tmp_path / "d.json")


def test_what_could_be_waited_for_is_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "desired.json")
    with pytest.raises(Unverified, match="no regular file"):
        desired.read(tmp_path / "desired.json")
