"""Makes a LoRA adapter with random weights, for the attention of a model of Llama's kind, in PEFT's format."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

RANK = 8
# Large enough to change what a model says, small enough that it still says something.
_SCALE = 0.1


class Shape(NamedTuple):
    """What of the model's shape matters: the widths of its states, and of all heads' queries and values together."""

    layers: int
    hidden: int
    queries: int
    values: int


SMOLLM2 = Shape(layers=30, hidden=576, queries=576, values=192)


def make(folder: Path, shape: Shape, seed: int) -> Path:
    """Fill a folder, and give it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK, "target_modules": ["q_proj", "v_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for layer in range(shape.layers):
        for module, width in (("q_proj", shape.queries), ("v_proj", shape.values)):
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = _SCALE * random.standard_normal((RANK, shape.hidden), np.float32)
            tensors[f"{name}.lora_B.weight"] = _SCALE * random.standard_normal((width, RANK), np.float32)
    write(folder / "adapter_model.safetensors", tensors)
    return folder


def write(file: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write tensors of 32-bit floats as safetensors."""
    header: dict[str, object] = {}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    data = b"".join(tensor.astype("<f4").tobytes() for tensor in tensors.values())
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
