"""Verifies a version and lays it out in Triton's repository, with the weights' real place filled in.

Nothing is loaded whose name could lead elsewhere, that is reached through a symbolic link, or whose weights are
not those that were recorded.
"""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from inferno_engine import adapters, digests, machine, names, safetensors
from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified

_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SYNTHETIC = re.compile(r'key:\s*"engine"\s*value:\s*\{\s*string_value:\s*"synthetic"')
_FLOAT_BYTES = {"float32": 4, "float": 4, "bfloat16": 2, "float16": 2, "half": 2}
# Where there is a GPU, weights and KV cache go there, and the engine sees for itself whether they fit.
_GPU = Path("/dev/nvidiactl")
# Stands in each model's folder that was laid out here; no other is ever changed or removed.
_MARK = ".inferno"


class Sizes(msgspec.Struct, frozen=True):
    """Those of vLLM's arguments that are read here, under its names. What is none or less is left to the engine."""

    max_model_len: Annotated[int, msgspec.Meta(lt=1 << 31)] | Literal["auto"] | None = None
    max_num_seqs: Annotated[int, msgspec.Meta(le=1 << 16)] | None = None
    kv_cache_memory_bytes: Annotated[int, msgspec.Meta(le=sys.maxsize)] | None = None


class Verified(NamedTuple):
    """A version that may be loaded: its files, and what they say of it. `adapters` are LoRA's, folders by name."""

    model: DesiredModel
    config: str
    arguments: dict[str, Any]
    fingerprint: str
    synthetic: bool
    adapters: dict[str, str]
    sizes: Sizes

    @property
    def context(self) -> int:
        """The longest prompt and answer together, in tokens; 0 if only the engine knows."""
        return _known(self.sizes.max_model_len)

    @property
    def slots(self) -> int:
        """How many generations run at once; 0 if only the engine knows."""
        return _known(self.sizes.max_num_seqs)


def verify(model: DesiredModel) -> Verified:
    """Check a version by all that is known of it. Raises Unverified. Reads the weights: seconds for gigabytes."""
    check_name(model.name, model.version)
    source = _real(Path(model.source), model)
    config = _text(source / "config.pbtxt", model)
    arguments = _arguments(_text(source / model.version / "model.json", model), model) | dict(model.arguments)
    if model.weights:
        _check_weights(_real(Path(model.weights), model), model)
        arguments["model"] = model.weights
    served = adapters.verified(source / model.version, arguments)
    fingerprint = f"{model.name}-{_digest(config, arguments | {'model': model.digest}, served)}"
    synthetic = bool(_SYNTHETIC.search(config))
    return Verified(model, config, arguments, fingerprint, synthetic, served, _sizes(arguments, model))


def check_name(name: str, version: str) -> None:
    """Raise Unverified unless both are harmless as names of folders and in addresses."""
    names.check("Model name", name)
    if not _VERSION.fullmatch(version):
        raise Unverified(f"Version {version!r} of {name} must be a number from 1 on.")


def check_room(verified: Verified, repository: Path) -> None:
    """Raise Unverified if there is no room on the disk for the version's files, or no memory for its engine."""
    machine.check_disk(repository, len(verified.config) + len(json.dumps(verified.arguments)))
    if verified.model.weights and not _GPU.exists():
        machine.check_memory(memory_bytes(verified), machine.look())


def memory_bytes(verified: Verified) -> int:
    """Give what weights, adapters and KV cache take at least, if the weights go where the engine's process is."""
    tensors = safetensors.of_folder(Path(verified.model.weights))
    each = _FLOAT_BYTES.get(str(verified.arguments.get("dtype", "auto")))
    loaded = tensors.memory_bytes(each) + adapters.memory_bytes(verified.adapters, each)
    return loaded + _known(verified.sizes.kv_cache_memory_bytes)


def lay_out(verified: Verified, repository: Path) -> bool:
    """Write the version into Triton's repository, beside others of the model; say whether anything changed.

    Raises Unverified where the folder is somebody else's, or where the model's configuration would change under other
    versions: Triton would load those again, with all that they have in hand.
    """
    name, version = verified.model.key
    others = {other for other in laid_out(repository) if other[0] == name} - {(name, version)}
    config = repository / name / "config.pbtxt"
    same = _content(config) == verified.config.encode()
    if config.exists() and not same:
        _check_ours(config.parent)
    if others and not same:
        raise Unverified(
            f"{name}:{version} has another config.pbtxt than the versions that serve. All versions of a model share "
            "one: give it the same, or another name."
        )
    config.parent.joinpath(version).mkdir(parents=True, exist_ok=True)
    _replace(config.parent / _MARK, "Laid out by Inferno's agent, which writes here alone.\n")
    changed = _replace(config.parent / version / "model.json", json.dumps(verified.arguments, indent=2))
    if verified.adapters:
        changed |= _replace(config.parent / version / adapters.FILE, json.dumps(verified.adapters, indent=2))
    return _replace(config, verified.config) or changed


def remove(name: str, version: str, repository: Path) -> None:
    """Take a version out of the repository, and the model with its last version.

    Raises Unverified where the folder is somebody else's, or the name leads elsewhere: what is to be removed may never
    have been laid out.
    """
    check_name(name, version)
    folder = repository / name
    if folder.exists():
        _check_ours(folder)
        _remove(folder, version)


def _remove(folder: Path, version: str) -> None:
    shutil.rmtree(folder / version, ignore_errors=True)
    if not any(path.is_dir() for path in folder.glob("*")):
        shutil.rmtree(folder, ignore_errors=True)


def laid_out(repository: Path) -> set[tuple[str, str]]:
    """Give name and version of all that was laid out in the repository."""
    folders = [path.parent for path in repository.glob("*/*/model.json")]
    return {(folder.parent.name, folder.name) for folder in folders if (folder.parent / _MARK).exists()}


def keep_only(kept: set[tuple[str, str]], repository: Path) -> None:
    """Take out what an earlier life left: Triton loads every version of a model that it finds."""
    for name, version in laid_out(repository) - kept:
        _remove(repository / name, version)


def _check_ours(folder: Path) -> None:
    if not (folder / _MARK).exists():
        raise Unverified(f"{folder} was not laid out by this agent. Remove it, or give the agent another folder.")


def _replace(file: Path, text: str) -> bool:
    """Write a file only if it would change: Triton reloads what looks newer."""
    if _content(file) == text.encode():
        return False
    beside = file.with_name(f".{file.name}.new")
    beside.write_bytes(text.encode())
    beside.replace(file)
    return True


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def _real(folder: Path, model: DesiredModel) -> Path:
    """Refuse a folder that is missing, or that a link anywhere in it leads out of."""
    if not folder.is_absolute() or not folder.is_dir():
        raise Unverified(f"{model.name}: {folder} is not a folder.")
    linked = next((path for path in (folder, *folder.rglob("*")) if path.is_symlink()), None)
    if linked is not None:
        raise Unverified(f"{model.name}: {linked} is a symbolic link; put the file itself there.")
    return folder


def _text(file: Path, model: DesiredModel) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise Unverified(f"{model.name}:{model.version}: {file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Unverified(f"{model.name}:{model.version}: {file} is no text in UTF-8: {error}.") from error


def _digest(config: str, arguments: dict[str, Any], served: dict[str, str]) -> str:
    """Digest all that decides what an engine says."""
    known: list[Any] = [config, arguments]
    if served:
        known.append({name: digests.folder_digest(Path(folder)) for name, folder in served.items()})
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def _arguments(text: str, model: DesiredModel) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unverified(f"{model.name}:{model.version}: model.json is no JSON object: {error}.") from error


def _sizes(arguments: dict[str, Any], model: DesiredModel) -> Sizes:
    try:
        return msgspec.convert(arguments, Sizes)
    except msgspec.ValidationError as error:
        raise Unverified(f"{model.name}:{model.version}: the engine's arguments can't be read: {error}.") from error


def _known(size: int | str | None) -> int:
    return max(size, 0) if isinstance(size, int) else 0


def _check_weights(weights: Path, model: DesiredModel) -> None:
    if model.files:
        differs = digests.difference(digests.manifest(weights), model.files)
        if differs is not None:
            raise Unverified(
                f"{model.name}:{model.version}: the weights in {weights} are not those that were added: {differs}. "
                "Put back what was there, or add the folder as another version."
            )
    found = digests.folder_digest(weights)
    if found != model.digest:
        raise Unverified(
            f"{model.name}:{model.version}: the weights in {weights} have digest {found[:12]}…, "
            f"not {model.digest[:12]}…; remove that folder and make it again."
        )
