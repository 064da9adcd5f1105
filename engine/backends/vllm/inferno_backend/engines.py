"""Which engine a model's configuration names."""

import json
from pathlib import Path
from typing import Any

from inferno_backend import lora, machine
from inferno_backend.seam import Engine


def make(config: dict[str, Any], folder: Path) -> Engine:
    """Start the engine for the version in `folder`, from its model.json and multi_lora.json. Blocks until it can
    generate.

    The parameter `engine` of config.pbtxt says `vllm` (the default) or `synthetic`. Only the engine that is asked
    for is imported: the synthetic one needs neither torch nor vLLM.
    """
    kind = config.get("parameters", {}).get("engine", {}).get("string_value", "vllm")
    arguments = _arguments(folder / "model.json")
    if kind == "synthetic":
        from inferno_backend.synthetic_engine import SyntheticEngine

        return SyntheticEngine(**arguments)
    if kind == "vllm":
        adapters = lora.folders(folder, arguments)
        settled = machine.settle({**arguments, "enable_lora": adapters is not None})
        from inferno_backend.vllm_engine.engine import VllmEngine

        return VllmEngine(config["name"], settled, adapters)
    raise ValueError(f"Parameter engine of config.pbtxt is {kind!r}; it must be vllm or synthetic.")


def _arguments(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text())
    except FileNotFoundError:
        raise ValueError(f"{file.name} is missing from version {file.parent.name}.") from None
    except ValueError as error:
        raise ValueError(f"{file.name} of version {file.parent.name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} of version {file.parent.name} must be a JSON object.")
    return value
