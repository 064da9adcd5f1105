"""Finds what is to be tuned: a model of the repository, its weights, its settings so far, and an environment for it."""

from pathlib import Path
from typing import Any

import msgspec

from inferno_core.errors import InvalidRequest, NotFound
from inferno_engine import environment
from inferno_engine import weights as small_model
from inferno_engine.measuring.host import Version
from inferno_engine.progress import Report, silent
from inferno_engine.tuning.bench import Target
from inferno_engine.tuning.settings import Settings

_LOAD_TIMEOUT_S = 900.0


def find(checkout: Path, name: str, weights: Path | None, report: Report = silent) -> Target:
    """Find the model `name` of the checkout's repository, and make what it needs. Raises InfernoError.

    `weights` is a folder that vLLM serves; None for the model that the platform brings, and for the synthetic one.
    """
    folder = _model(checkout, name)
    config = (folder / "config.pbtxt").read_text()
    if Version(name, config, {}).engine == "synthetic":
        made = environment.ensure_triton_environment(checkout, report)
        return Target(name, config, None, made, _LOAD_TIMEOUT_S)
    made = environment.ensure_vllm_environment(checkout, report)
    if weights is None and name == "smollm2":
        weights = small_model.ensure_smollm2(checkout, made, report).path
    if weights is None:
        raise InvalidRequest(f"{name} has weights of its own: say where they are with --weights FOLDER.")
    if not (weights / "config.json").is_file():
        raise InvalidRequest(f"--weights {weights}: there is no config.json, so this is no folder of a model.")
    return Target(name, config, weights.resolve(), made, _LOAD_TIMEOUT_S)


def settings(checkout: Path, name: str, file: Path | None) -> Settings:
    """Read the settings to begin with, from `file` or the model's own model.json. Raises InvalidRequest."""
    source = file or _model(checkout, name) / "1" / "model.json"
    try:
        return Settings.read(msgspec.json.decode(source.read_bytes(), type=dict[str, Any]))
    except OSError as error:
        raise InvalidRequest(f"{source} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{source} is no JSON object: {error}.") from error


def _model(checkout: Path, name: str) -> Path:
    folder = checkout / "model_repository" / name
    if not (folder / "config.pbtxt").is_file():
        there = sorted(path.parent.name for path in (checkout / "model_repository").glob("*/config.pbtxt"))
        raise NotFound(f"There is no model {name!r} in model_repository. There are: {', '.join(there)}.")
    return folder
