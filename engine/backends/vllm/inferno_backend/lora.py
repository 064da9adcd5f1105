"""LoRA adapters as Triton's own vLLM backend has them: multi_lora.json beside model.json names folders, and a request
picks one of the names.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from inferno_core.errors import InvalidRequest

FIELD = "lora_name"
"""Where a request says which adapter it wants: among the sampling parameters, or in an OpenAI body."""

_FILE = "multi_lora.json"
_LONGEST_NAME = 64
T = TypeVar("T")


def enabled(arguments: Mapping[str, Any]) -> bool:
    """Say whether `enable_lora` of model.json is on, which the stock backend reads as a string, too."""
    return str(arguments.get("enable_lora", False)).lower() == "true"


def folders(version: Path, arguments: Mapping[str, Any]) -> dict[str, Path] | None:
    """Give the folders of a version's adapters by their names; None where adapters are off.

    A relative path begins at the version's folder. Raises ValueError for what can't be served.
    """
    if not enabled(arguments):
        return None
    file = version / _FILE
    try:
        named = json.loads(file.read_text())
    except FileNotFoundError:
        raise ValueError(f"{_FILE} is missing from version {version.name}: enable_lora is on.") from None
    except ValueError as error:
        raise ValueError(f"{_FILE} of version {version.name} is not JSON: {error}") from error
    if not isinstance(named, dict) or not all(isinstance(folder, str) for folder in named.values()):
        raise ValueError(f"{_FILE} of version {version.name} must be a JSON object of folders by name.")
    return {name: _found(name, version / folder) for name, folder in named.items()}


def pick(asked: Mapping[str, Any], served: Mapping[str, T] | None) -> T | None:
    """Give the adapter that is asked for, or None for the model as it is. Raises InvalidRequest.

    The words of the refusals are those of the stock backend: clients look for them.
    """
    name = asked.get(FIELD)
    if name is None:
        return None
    if served is None:
        raise InvalidRequest("LoRA feature is not enabled.", param=FIELD)
    if not isinstance(name, str) or name not in served:
        said = str(name)[:_LONGEST_NAME]
        raise InvalidRequest(f"LoRA {said} is not supported, we currently support {list(served)}", param=FIELD)
    return served[name]


def _found(name: str, folder: Path) -> Path:
    """See that an adapter is there: vLLM would look for one that is not on the Internet, or die at its first use."""
    if not (folder / "adapter_config.json").is_file():
        raise ValueError(f"{_FILE}: adapter {name!r} has no adapter_config.json in {folder}.")
    return folder.resolve()
