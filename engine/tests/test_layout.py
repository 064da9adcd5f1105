import json
from pathlib import Path

import pytest

from inferno_engine import layout
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.weights import folder_digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text('backend: "vllm"\n')
    (folder / "1" / "model.json").write_text('{"max_model_len": 100, "max_num_seqs": 4}')
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def model(source: Path, **changes: str) -> DesiredModel:
    fields = {"name": "small", "version": "1", "source": str(source), **changes}
    return DesiredModel(**fields)  # type: ignore[arg-type]


def test_a_sound_version_is_laid_out_with_the_weights_real_place(source: Path, weights: Path, tmp_path: Path):
    verified = layout.verify(model(source, weights=str(weights), digest=folder_digest(weights)))
    assert (verified.context, verified.slots) == (100, 4)
    assert layout.lay_out(verified, tmp_path / "repository")
    written = json.loads((tmp_path / "repository/small/1/model.json").read_text())
    assert written["model"] == str(weights)
    assert not layout.lay_out(verified, tmp_path / "repository")
    assert layout.laid_out(tmp_path / "repository") == {("small", "1")}


def test_removing_the_last_version_removes_the_model(source: Path, tmp_path: Path):
    layout.lay_out(layout.verify(model(source)), tmp_path / "repository")
    layout.remove("small", "1", tmp_path / "repository")
    assert not (tmp_path / "repository" / "small").exists()


@pytest.mark.parametrize("name", ["../up", "Upper", "", ".hidden", "a/b", "a" * 65])
def test_a_name_that_could_lead_elsewhere_is_refused(source: Path, name: str):
    with pytest.raises(Unverified, match="name"):
        layout.verify(model(source, name=name))


@pytest.mark.parametrize("version", ["0", "-1", "1/..", "", "latest"])
def test_a_version_is_a_number(source: Path, version: str):
    with pytest.raises(Unverified, match="Version"):
        layout.verify(model(source, version=version))


def test_other_weights_than_recorded_are_refused(source: Path, weights: Path):
    digest = folder_digest(weights)
    (weights / "model.safetensors").write_bytes(b"others")
    with pytest.raises(Unverified, match="digest"):
        layout.verify(model(source, weights=str(weights), digest=digest))


def test_a_symbolic_link_is_refused(source: Path, weights: Path, tmp_path: Path):
    (weights / "link").symlink_to(tmp_path)
    with pytest.raises(Unverified, match="symbolic link"):
        layout.verify(model(source, weights=str(weights), digest="any"))


def test_other_weights_or_settings_have_another_fingerprint(source: Path, weights: Path):
    first = layout.verify(model(source, weights=str(weights), digest=folder_digest(weights))).fingerprint
    (source / "1" / "model.json").write_text('{"max_model_len": 200}')
    second = layout.verify(model(source, weights=str(weights), digest=folder_digest(weights))).fingerprint
    assert first != second


def test_a_broken_model_json_is_named(source: Path):
    (source / "1" / "model.json").write_text("[]")
    with pytest.raises(Unverified, match=r"model\.json"):
        layout.verify(model(source))
