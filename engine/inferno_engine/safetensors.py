"""Reads what a safetensors file says of itself, without reading its tensors.

The format (safetensors 0.4+): eight bytes of length, a JSON header of that length with dtype, shape and place of each
tensor, then the tensors. A download that broke off shows in the places.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from inferno_engine.errors import Unverified

_LONGEST_HEADER = 100 << 20
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


class Tensors(NamedTuple):
    """What the tensors of a file, or of several, come to. Those that are no plain floats are quantised, or indexes."""

    floats: int = 0
    float_bytes: int = 0
    other_bytes: int = 0

    def memory_bytes(self, float_size_bytes: int | None) -> int:
        """Give what they take in memory, with each float in that many bytes (None: as on disk)."""
        floats = self.float_bytes if float_size_bytes is None else self.floats * float_size_bytes
        return floats + self.other_bytes


def tensors(file: Path) -> Tensors:
    """Read the header of a file. Raises Unverified if it is none, or the file is not whole."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise Unverified(f"{file} is no safetensors file.")
        found, end = _sum(opened.read(length), file)
    if 8 + length + end != size:
        raise Unverified(f"{file} has {size} bytes and should have {8 + length + end}: fetch it again.")
    return found


def of_folder(folder: Path) -> Tensors:
    """Add up the safetensors files of a folder. Raises Unverified."""
    each = [tensors(file) for file in sorted(folder.glob("*.safetensors"))]
    return Tensors(*(sum(column) for column in zip(*each, strict=True))) if each else Tensors()


def _sum(header: bytes, file: Path) -> tuple[Tensors, int]:
    """Add up a header; also give where its last tensor ends."""
    floats = float_bytes = other_bytes = last = 0
    try:
        for name, entry in msgspec.json.decode(header, type=dict[str, dict[str, Any]]).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            if entry["dtype"] in _FLOATS:
                floats += math.prod(entry["shape"])
                float_bytes += end - begin
            else:
                other_bytes += end - begin
            last = max(last, end)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise Unverified(f"{file} is no safetensors file: its header can't be read.") from error
    return Tensors(floats, float_bytes, other_bytes), last
