import json
from pathlib import Path

import lora_adapter
import pytest

from inferno_engine import layout
from inferno_engine.desired import DesiredModel
from inferno_engine.digests import folder_digest, manifest
from inferno_engine.errors import Unverified

SHAPE = lora_adapter.Shape(layers=2, hidden=8, queries=8, values=4)


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


def model(source: Path, **changes: object) -> DesiredModel:
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


def test_a_version_beside_others_must_have_their_configuration(source: Path, tmp_path: Path):
    layout.lay_out(layout.verify(model(source)), tmp_path / "repository")
    (source / "1").rename(source / "2")
    (source / "config.pbtxt").write_text('backend: "vllm"\n# Another.\n')
    with pytest.raises(Unverified, match=r"another config\.pbtxt"):
        layout.lay_out(layout.verify(model(source, version="2")), tmp_path / "repository")
    layout.remove("small", "1", tmp_path / "repository")
    assert layout.lay_out(layout.verify(model(source, version="2")), tmp_path / "repository")


def test_a_folder_of_somebody_else_s_is_left_alone(source: Path, tmp_path: Path):
    theirs = tmp_path / "repository" / "small" / "1" / "model.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}")
    (tmp_path / "repository" / "small" / "config.pbtxt").write_text("")
    with pytest.raises(Unverified, match="not laid out by this agent"):
        layout.lay_out(layout.verify(model(source)), tmp_path / "repository")
    with pytest.raises(Unverified, match="not laid out by this agent"):
        layout.remove("small", "1", tmp_path / "repository")
    layout.keep_only(set(), tmp_path / "repository")
    assert theirs.exists()


def test_what_is_not_kept_is_taken_out(source: Path, tmp_path: Path):
    for version in ("1", "2"):
        (source / version).mkdir(exist_ok=True)
        (source / version / "model.json").write_text("{}")
        layout.lay_out(layout.verify(model(source, version=version)), tmp_path / "repository")
    layout.keep_only({("small", "2")}, tmp_path / "repository")
    assert layout.laid_out(tmp_path / "repository") == {("small", "2")}


@pytest.mark.parametrize("version", ["../../../victim", "..", ".", "", "1/../1"])
def test_nothing_is_removed_whose_name_leads_elsewhere(source: Path, tmp_path: Path, version: str):
    victim = tmp_path / "victim" / "keys"
    victim.parent.mkdir()
    victim.write_text("precious")
    repository = tmp_path / "run" / "repository"
    layout.lay_out(layout.verify(model(source)), repository)
    for name in ("small", "../repository/small"):
        with pytest.raises(Unverified):
            layout.remove(name, version, repository)
    assert victim.exists()
    assert layout.laid_out(repository) == {("small", "1")}


def test_what_was_never_laid_out_is_removed_already(tmp_path: Path):
    layout.remove("small", "1", tmp_path / "repository")


def test_a_folder_with_an_odd_name_is_taken_out_like_others(source: Path, tmp_path: Path):
    layout.lay_out(layout.verify(model(source)), tmp_path)
    (tmp_path / "small").rename(tmp_path / "Small")
    layout.keep_only(set(), tmp_path)
    assert not (tmp_path / "Small").exists()


@pytest.mark.parametrize(
    ("arguments", "context", "slots"),
    [
        ({"max_model_len": None, "max_num_seqs": None}, 0, 0),
        ({"max_model_len": -1}, 0, 0),
        ({"max_model_len": "auto"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_what_is_left_to_the_engine_is_not_known(source: Path, arguments: dict[str, object], context: int, slots: int):
    (source / "1" / "model.json").write_text(json.dumps(arguments))
    verified = layout.verify(model(source))
    assert (verified.context, verified.slots) == (context, slots)


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_model_len": "long"},
        {"max_num_seqs": [4]},
        {"kv_cache_memory_bytes": "4G"},
        {"max_num_seqs": 1 << 17},
        {"max_model_len": 1 << 31},
    ],
)
def test_an_argument_that_is_no_number_is_named(source: Path, arguments: dict[str, object]):
    (source / "1" / "model.json").write_text(json.dumps(arguments))
    with pytest.raises(Unverified, match=rf"small:1: .*{next(iter(arguments))}"):
        layout.verify(model(source))


@pytest.mark.parametrize("file", ["config.pbtxt", "1/model.json"])
def test_a_file_that_is_no_text_is_named(source: Path, file: str):
    (source / file).write_bytes(b"\xff\xfe")
    with pytest.raises(Unverified, match=file):
        layout.verify(model(source))


def test_a_file_of_ours_that_was_spoilt_is_written_anew(source: Path, tmp_path: Path):
    verified = layout.verify(model(source))
    layout.lay_out(verified, tmp_path)
    (tmp_path / "small" / "config.pbtxt").write_bytes(b"\xff\xfe")
    assert layout.lay_out(verified, tmp_path)
    assert (tmp_path / "small" / "config.pbtxt").read_text() == verified.config


def test_adapters_come_along_and_count(source: Path, tmp_path: Path):
    (source / "1" / "model.json").write_text('{"enable_lora": true}')
    (source / "1" / "multi_lora.json").write_text('{"poet": "poet"}')
    fingerprints = set()
    for seed in (1, 2):
        lora_adapter.make(source / "1" / "poet", SHAPE, seed)
        verified = layout.verify(model(source))
        fingerprints.add(verified.fingerprint)
    assert len(fingerprints) == 2
    assert layout.memory_bytes(verified) == lora_adapter.RANK * 2 * (8 + 8 + 8 + 4) * 4
    layout.lay_out(verified, tmp_path / "repository")
    written = json.loads((tmp_path / "repository/small/1/multi_lora.json").read_text())
    assert written == {"poet": str(source / "1" / "poet")}


def test_each_file_of_a_manifest_is_compared(source: Path, weights: Path):
    fields = {"weights": str(weights), "digest": folder_digest(weights), "files": manifest(weights)}
    layout.verify(model(source, **fields))
    (weights / "added.json").write_text("{}")
    with pytest.raises(Unverified, match=r"added\.json was not there"):
        layout.verify(model(source, **fields))


def test_weights_that_do_not_fit_into_memory_are_not_loaded(source: Path, weights: Path, tmp_path: Path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (weights / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (source / "1" / "model.json").write_text(json.dumps({"dtype": "bfloat16", "kv_cache_memory_bytes": 1 << 50}))
    verified = layout.verify(model(source, weights=str(weights), digest=folder_digest(weights)))
    assert layout.memory_bytes(verified) == (1 << 50) + 2
    with pytest.raises(Unverified, match="kv_cache_memory_bytes"):
        layout.check_room(verified, tmp_path)


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
