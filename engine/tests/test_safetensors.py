import json
from pathlib import Path

import pytest

from inferno_engine import safetensors
from inferno_engine.errors import Unverified

HEADER = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "I8", "shape": [5], "data_offsets": [12, 17]},
}


def write(file: Path, header: object, size: int) -> Path:
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    return file


def test_what_the_tensors_come_to(tmp_path: Path):
    write(tmp_path / "1.safetensors", HEADER, 17)
    write(tmp_path / "2.safetensors", HEADER, 17)
    found = safetensors.of_folder(tmp_path)
    assert found == (12, 24, 10)
    assert found.memory_bytes(None) == 34
    assert found.memory_bytes(4) == 58


def test_a_download_that_broke_off_is_seen(tmp_path: Path):
    with pytest.raises(Unverified, match="fetch it again"):
        safetensors.tensors(write(tmp_path / "a", HEADER, 16))


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04pickle", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]", (3).to_bytes(8, "little") + b'{"a']
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Unverified, match="no safetensors file"):
        safetensors.tensors(tmp_path / "a")


@pytest.mark.parametrize(
    "entry",
    [{}, {"dtype": "F32", "shape": "x", "data_offsets": [0, 1]}, {"dtype": "F32", "shape": [1], "data_offsets": [1]}],
)
def test_a_header_of_another_kind_is_refused(tmp_path: Path, entry: object):
    with pytest.raises(Unverified, match="header"):
        safetensors.tensors(write(tmp_path / "a", {"a": entry}, 4))
