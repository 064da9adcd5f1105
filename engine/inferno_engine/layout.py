"""Verifies a version and lays it out in Triton's repository, with the weights' real place filled in.

Nothing is loaded whose name could lead elsewhere, that is reached through a symbolic link, or whose weights are
not those that were recorded.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from inferno_engine.desired import DesiredModel
from inferno_engine.errors import Unverified
from inferno_engine.weights import folder_digest

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SYNTHETIC = re.compile(r'key:\s*"engine"\s*value:\s*\{\s*string_value:\s*"synthetic"')


class Verified(NamedTuple):
    """A version that may be loaded: its files, and what they say of it."""

    model: DesiredModel
    config: str
    arguments: dict[str, Any]
    fingerprint: str
    synthetic: bool

    @property
    def context(self) -> int:
        """The longest prompt and answer together, in tokens; 0 if only the engine knows."""
        return int(self.arguments.get("max_model_len", 0))

    @property
    def slots(self) -> int:
        """How many generations run at once; 0 if only the engine knows."""
        return int(self.arguments.get("max_num_seqs", 0))


def verify(model: DesiredModel) -> Verified:
    """Check a version by all that is known of it. Raises Unverified. Reads the weights: seconds for gigabytes."""
    if not _NAME.fullmatch(model.name):
        raise Unverified(f"Model name {model.name!r} must match {_NAME.pattern}.")
    if not _VERSION.fullmatch(model.version):
        raise Unverified(f"Version {model.version!r} of {model.name} must be a number from 1 on.")
    source = _real(Path(model.source), model)
    config = _text(source / "config.pbtxt", model)
    arguments = _arguments(_text(source / model.version / "model.json", model), model) | dict(model.arguments)
    if model.weights:
        _check_weights(_real(Path(model.weights), model), model)
        arguments["model"] = model.weights
    known = json.dumps([config, arguments | {"model": model.digest}], sort_keys=True)
    fingerprint = f"{model.name}-{hashlib.sha256(known.encode()).hexdigest()[:12]}"
    return Verified(model, config, arguments, fingerprint, bool(_SYNTHETIC.search(config)))


def lay_out(verified: Verified, repository: Path) -> bool:
    """Write the version into Triton's repository, beside others of the model; say whether anything changed."""
    folder = repository / verified.model.name
    version = folder / verified.model.version
    version.mkdir(parents=True, exist_ok=True)
    changed = _replace(version / "model.json", json.dumps(verified.arguments, indent=2))
    return _replace(folder / "config.pbtxt", verified.config) or changed


def remove(name: str, version: str, repository: Path) -> None:
    """Take a version out of the repository, and the model with its last version."""
    folder = repository / name
    shutil.rmtree(folder / version, ignore_errors=True)
    if not any(path.is_dir() for path in folder.glob("*")):
        shutil.rmtree(folder, ignore_errors=True)


def laid_out(repository: Path) -> set[tuple[str, str]]:
    """Give name and version of all that stands in the repository."""
    return {(path.parent.parent.name, path.parent.name) for path in repository.glob("*/*/model.json")}


def _replace(file: Path, text: str) -> bool:
    """Write a file only if it would change: Triton reloads what looks newer."""
    if file.is_file() and file.read_text() == text:
        return False
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text)
    beside.replace(file)
    return True


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
        return file.read_text()
    except OSError as error:
        raise Unverified(f"{model.name}:{model.version}: {file} can't be read: {error.strerror}.") from error


def _arguments(text: str, model: DesiredModel) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Unverified(f"{model.name}:{model.version}: model.json is no JSON object: {error}.") from error


def _check_weights(weights: Path, model: DesiredModel) -> None:
    found = folder_digest(weights)
    if found != model.digest:
        raise Unverified(
            f"{model.name}:{model.version}: the weights in {weights} have digest {found[:12]}…, "
            f"not {model.digest[:12]}…; remove that folder and make it again."
        )
