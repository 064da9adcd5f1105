import json
from pathlib import Path

import lora_adapter
import pytest

from inferno_engine import adapters
from inferno_engine.errors import Unverified

ON = {"enable_lora": True}
SHAPE = lora_adapter.Shape(layers=1, hidden=8, queries=8, values=4)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version with the adapter `poet`."""
    folder = tmp_path / "model" / "1"
    lora_adapter.make(folder / "adapters" / "poet", SHAPE, seed=1)
    name(folder, poet="adapters/poet")
    return folder


def name(version: Path, **folders: object) -> None:
    (version / adapters.FILE).write_text(json.dumps(folders))


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_adapters_are_served_by_name(version: Path, value: object):
    served = {"poet": str(version / "adapters" / "poet")}
    assert adapters.verified(version, {"enable_lora": value}) == served
    name(version, **served)
    assert adapters.verified(version, {"enable_lora": value}) == served


@pytest.mark.parametrize("arguments", [{}, {"enable_lora": False}, {"enable_lora": "false"}])
def test_none_are_served_where_they_are_off(version: Path, arguments: dict[str, object]):
    assert adapters.verified(version, arguments) == {}


def test_they_must_be_named_where_they_are_on(version: Path):
    (version / adapters.FILE).unlink()
    with pytest.raises(Unverified, match="leave enable_lora out"):
        adapters.verified(version, ON)
    (version / adapters.FILE).write_text('["poet"]')
    with pytest.raises(Unverified, match="map names to folders"):
        adapters.verified(version, ON)


@pytest.mark.parametrize("given", ["..", "../2/poet", "adapters/../../../elsewhere", ".", "", "/etc"])
def test_none_is_outside_of_its_version(version: Path, given: str):
    name(version, poet=given)
    with pytest.raises(Unverified, match="within"):
        adapters.verified(version, ON)


def test_a_version_whose_name_begins_alike_is_outside(version: Path):
    lora_adapter.make(version.parent / "10" / "poet", SHAPE, seed=1)
    name(version, poet="../10/poet")
    with pytest.raises(Unverified, match="within"):
        adapters.verified(version, ON)


@pytest.mark.parametrize("called", ["../up", "Poet", "", "a/b", "a" * 65])
def test_names_keep_to_the_grammar(version: Path, called: str):
    name(version, **{called: "adapters/poet"})
    with pytest.raises(Unverified, match="adapter name"):
        adapters.verified(version, ON)


def test_what_is_no_adapter_is_refused_by_name(version: Path):
    folder = version / "adapters" / "poet"
    tensors = folder / "adapter_model.safetensors"
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-1])
    with pytest.raises(Unverified, match="fetch it again"):
        adapters.verified(version, ON)
    tensors.rename(folder / "adapter_model.bin")
    with pytest.raises(Unverified, match="pickle"):
        adapters.verified(version, ON)
    (folder / "adapter_model.bin").unlink()
    with pytest.raises(Unverified, match="is missing"):
        adapters.verified(version, ON)
    name(version, poet="adapters/painter")
    with pytest.raises(Unverified, match="not a folder"):
        adapters.verified(version, ON)


def test_what_they_take_in_memory(version: Path):
    served = adapters.verified(version, ON)
    floats = lora_adapter.RANK * (8 + 8 + 8 + 4)
    assert adapters.memory_bytes(served, None) == 4 * floats
    assert adapters.memory_bytes(served, 2) == 2 * floats
