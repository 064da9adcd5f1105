"""A version's LoRA adapters: verified before an engine reads them, as its weights are.

multi_lora.json, beside model.json, names their folders. These lie in the version's own folder, so that whoever may
write that file can have nothing else read.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inferno_engine import names, safetensors, weights_folder
from inferno_engine.errors import Unverified

FILE = "multi_lora.json"
_TENSORS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"


def verified(version: Path, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Give the adapters that a version serves, folders by name; none unless `enable_lora` is on.

    No link leads out of `version`. Raises Unverified that names what is wrong.
    """
    # Triton's own vLLM backend reads a string as well.
    if str(arguments.get("enable_lora", False)).lower() != "true":
        return {}
    return {name: str(_checked(version, name, folder)) for name, folder in _named(version / FILE).items()}


def memory_bytes(adapters: Mapping[str, str], float_size_bytes: int | None) -> int:
    """Give what all of them take in memory, with each float in that many bytes (None: as on disk)."""
    return sum(safetensors.of_folder(Path(folder)).memory_bytes(float_size_bytes) for folder in adapters.values())


def _named(file: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise Unverified(
            f"{file} can't be read: {error.strerror}. Name the adapters there, or leave enable_lora out of model.json."
        ) from error
    except msgspec.DecodeError as error:
        raise Unverified(f"{file} must map names to folders: {error}.") from error


def _checked(version: Path, name: str, given: str) -> Path:
    names.check(f"{FILE}: adapter name", name)
    folder = Path(os.path.normpath(version / given))
    if version not in folder.parents:
        raise Unverified(f"{FILE}: adapter {name} is in {folder}; it must be in a folder within {version}.")
    if not folder.is_dir():
        raise Unverified(f"{FILE}: adapter {name} is in {folder}, which is not a folder.")
    weights_folder.check_files(folder)
    for file in (_CONFIG, _TENSORS):
        if not (folder / file).is_file():
            raise Unverified(f"{folder / file} is missing: adapter {name} must be as PEFT saves it, in safetensors.")
    safetensors.tensors(folder / _TENSORS)
    return folder
