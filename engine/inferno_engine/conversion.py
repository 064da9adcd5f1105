"""Writes a GGUF file out as a folder that vLLM serves: safetensors, tokenizer, chat template.

A program for the engine's environment, which has torch and transformers: `python conversion.py FILE.gguf FOLDER`.
"""

import importlib
import sys
from pathlib import Path
from typing import Any


def convert(source: Path, target: Path) -> None:
    """Unpack the weights of `source` into `target`, in the type that the model was trained in."""
    # The engine's environment has these two, the platform's has not.
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")

    folder, file = str(source.parent), source.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=file,
        quantization_config=transformers.GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    tokenizer.save_pretrained(target)
    model.save_pretrained(target, safe_serialization=True)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
