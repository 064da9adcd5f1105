"""The keyword arguments with which vLLM serves a folder of weights: what a person gives, over what serves here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from inferno_engine.errors import Unverified
from inferno_engine.weights_folder import WeightsFolder

_LONGEST_CONTEXT = 4096
# These belong to the one model, the others to the machine.
_ITS_OWN = frozenset({"max_model_len", "kv_cache_memory_bytes", "tool_call_parser"})
_NOT_FOR_EMBEDDINGS = frozenset({"enable_prefix_caching"})
_REFUSED: Mapping[str, str] = {
    "model": "--weights says it",
    "served_model_name": "the model's name says it",
    "tokenizer": "it must be in the folder of the weights, which is verified",
    "hf_config_path": "it must be in the folder of the weights, which is verified",
    "trust_remote_code": "code from a folder of weights is never run",
    "load_format": "weights are read as safetensors alone",
    "enable_prompt_embeds": "they are pickles",
    "allowed_local_media_path": "clients could read the machine's files",
    "scheduler_cls": "the platform has its own",
    "worker_cls": "the platform has its own",
    "worker_extension_cls": "it names code to be run",
    "logits_processors": "they name code to be run",
    "tool_parser_plugin": "it names code to be run",
    "reasoning_parser_plugin": "it names code to be run",
}


def read(file: Path | None) -> dict[str, Any]:
    """Read a file of arguments in JSON; none is no argument. Raises Unverified that names what can't be."""
    if file is None:
        return {}
    try:
        given = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise Unverified(f"{file} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise Unverified(f"{file} must be a JSON object of vLLM's keyword arguments: {error}.") from error
    for name in given.keys() & _REFUSED.keys():
        raise Unverified(f"{file}: {name} can't be given: {_REFUSED[name]}. Leave it out.")
    return given


def complete(given: Mapping[str, Any], weights: WeightsFolder, checkout: Path) -> dict[str, Any]:
    """Put what is `given` over the defaults: those with which the platform's own model is served on this machine."""
    own = msgspec.json.decode(
        (checkout / "model_repository" / "smollm2" / "1" / "model.json").read_bytes(), type=dict[str, Any]
    )
    defaults = {name: value for name, value in own.items() if name not in _ITS_OWN}
    if weights.context:
        defaults["max_model_len"] = min(weights.context, _LONGEST_CONTEXT)
    if weights.tasks == ("embedding",):
        defaults = {name: value for name, value in defaults.items() if name not in _NOT_FOR_EMBEDDINGS}
        # What embeds reads a text in one step.
        length = int(given.get("max_model_len", defaults.get("max_model_len", 0)))
        defaults["max_num_batched_tokens"] = max(length, defaults.get("max_num_batched_tokens", 0))
        defaults["runner"] = "pooling"
    return {**defaults, "load_format": "safetensors", **given}
