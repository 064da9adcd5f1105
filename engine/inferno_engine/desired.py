"""What an agent is to serve: a file that the stack writes and agents read, again whenever it changes."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from inferno_core.settings import SyntheticSettings
from inferno_engine.errors import Unverified
from inferno_engine.weights import Weights

GENERATES = ("chat", "completion")


class DesiredModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version that is to be served.

    `source` is a folder of the model repository, with config.pbtxt and `<version>/model.json`; `weights` a folder of
    weights ("" for an engine without any), whose digest (see `digests.folder_digest`) must be `digest`, and whose
    files, where `files` names any, must be just those, with these digests. `arguments` stand above those of
    model.json. `tasks` are the surfaces that it has, `modalities` what it reads.
    """

    name: str
    version: str
    source: str
    weights: str = ""
    digest: str = ""
    default: bool = False
    arguments: tuple[tuple[str, int | float | bool], ...] = ()
    files: dict[str, str] = {}
    tasks: tuple[str, ...] = GENERATES
    modalities: tuple[str, ...] = ("text",)

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version

    def serves_as(self, other: "DesiredModel") -> bool:
        """Say whether an engine that was started for the one serves for the other."""
        return msgspec.structs.replace(self, default=other.default) == other


def synthetic(checkout: Path, settings: SyntheticSettings, *, default: bool) -> DesiredModel:
    """Describe the synthetic model."""
    arguments = (
        ("step_ms", settings.step_ms),
        ("max_num_seqs", settings.slots),
        ("max_model_len", settings.context),
        ("faults", settings.faults),
    )
    source = str(_source(checkout, "synthetic"))
    tasks = (*GENERATES, "embedding")
    return DesiredModel("synthetic", "1", source, default=default, arguments=arguments, tasks=tasks)


def smollm2(checkout: Path, weights: Weights, *, default: bool) -> DesiredModel:
    """Describe the small real model."""
    source = str(_source(checkout, "smollm2"))
    return DesiredModel("smollm2", "1", source, str(weights.path), weights.digest, default)


def write(path: Path, models: Sequence[DesiredModel]) -> None:
    """Write the file, at once and whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(list(models))))
    beside.replace(path)


def read(path: Path) -> list[DesiredModel]:
    """Read the file. Raises Unverified if it is not there, can't be read, or is not what `write` writes."""
    try:
        if not path.is_file() and path.exists():
            # One that is a pipe would be waited for.
            raise Unverified(f"{path} is no regular file.")
        return msgspec.json.decode(path.read_bytes(), type=list[DesiredModel])
    except FileNotFoundError as error:
        raise Unverified(f"{path} is missing: nothing says what to serve.") from error
    except OSError as error:
        raise Unverified(f"{path} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise Unverified(f"{path} can't be read: {error}.") from error


def _source(checkout: Path, name: str) -> Path:
    return checkout.resolve() / "model_repository" / name
