"""The models that people added to a stack: remembered in its home folder, over `down` and `up`.

Weights stay where they are; what is written here is a folder as in model_repository, and the digests of their files.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from inferno_core.errors import InvalidRequest, NotFound
from inferno_engine import desired, layout
from inferno_engine.desired import DesiredModel
from inferno_engine.locks import alone
from inferno_engine.progress import silent
from inferno_engine.weights_folder import WeightsFolder
from inferno_local.home import Home

# All versions of a model share one, and may be served at once.
_CONFIG = 'backend: "vllm"\ninstance_group [ { count: 1 kind: KIND_MODEL } ]\nversion_policy { all { } }\n'
_SYNTHETIC = '"synthetic"'


class AddedModels:
    """Those of one home. `repository` has the models that the platform brings, which may get further versions."""

    def __init__(self, home: Home, repository: Path) -> None:
        self._file = home.data / "models.json"
        self._lock = home.data / "models.lock"
        self._folder = home.data / "models"
        self._repository = repository

    def read(self) -> list[DesiredModel]:
        """Give them, oldest first. Raises Unverified if the file was spoilt."""
        return desired.read(self._file) if self._file.exists() else []

    def add(
        self, name: str, version: str, weights: WeightsFolder, arguments: Mapping[str, Any], *, default: bool
    ) -> DesiredModel:
        """Add a version of a model; "" is the next one. Raises Unverified and `InvalidRequest`."""
        with alone(self._lock, "models", silent):
            known = self.read()
            version = version or self._next(name, known)
            layout.check_name(name, version)
            self._refuse_known(name, version, known)
            folder = self._write(name, version, arguments)
            added = DesiredModel(
                name,
                version,
                str(folder),
                weights=str(weights.path),
                digest=weights.digest,
                default=default,
                files=weights.files,
                tasks=weights.tasks,
                modalities=weights.modalities,
            )
            if default:
                known = [msgspec.structs.replace(model, default=False) for model in known]
            desired.write(self._file, [*known, added])
        return added

    def remove(self, name: str, version: str) -> list[DesiredModel]:
        """Take out a version, or all of them if that is "", and give what was. Raises `NotFound`."""
        with alone(self._lock, "models", silent):
            known = self.read()
            gone = [model for model in known if model.name == name and version in ("", model.version)]
            if not gone:
                raise NotFound(self._unknown(name, version, known))
            desired.write(self._file, [model for model in known if model not in gone])
            for model in gone:
                shutil.rmtree(Path(model.source) / model.version, ignore_errors=True)
        return gone

    def _brought(self, name: str) -> set[str]:
        """Give the versions of a model that the platform itself has."""
        return {path.parent.name for path in (self._repository / name).glob("*/model.json")}

    def _next(self, name: str, known: Sequence[DesiredModel]) -> str:
        versions = self._brought(name) | {model.version for model in known if model.name == name}
        return str(max(map(int, versions), default=0) + 1)

    def _refuse_known(self, name: str, version: str, known: Sequence[DesiredModel]) -> None:
        if version in self._brought(name) or (name, version) in {model.key for model in known}:
            raise InvalidRequest(
                f"Version {version} of {name} is there already, and versions don't change. Add it as "
                f"--version {self._next(name, known)}, or remove the other first."
            )

    def _write(self, name: str, version: str, arguments: Mapping[str, Any]) -> Path:
        """Write the version as a folder of a model repository."""
        shared, folder = self._repository / name / "config.pbtxt", self._folder / name
        config = shared.read_text() if shared.exists() else _CONFIG
        if _SYNTHETIC in config:
            raise InvalidRequest(f"{name!r} is the name of the engine that needs no weights: choose another.")
        (folder / version).mkdir(parents=True, exist_ok=True)
        (folder / "config.pbtxt").write_text(config)
        (folder / version / "model.json").write_bytes(msgspec.json.format(msgspec.json.encode(arguments)))
        return folder

    def _unknown(self, name: str, version: str, known: Sequence[DesiredModel]) -> str:
        what = f"{name}:{version}" if version else name
        if self._brought(name) & ({version} if version else self._brought(name)):
            return f"{what} comes with the platform and can't be removed."
        listed = ", ".join(f"{model.name}:{model.version}" for model in known) or "none"
        return f"No {what} was added. There are: {listed}."


def together(brought: Sequence[DesiredModel], added: Sequence[DesiredModel]) -> list[DesiredModel]:
    """Give all that is to serve; a default among those that were added is the only one."""
    if any(model.default for model in added):
        brought = [msgspec.structs.replace(model, default=False) for model in brought]
    return [*brought, *added]
