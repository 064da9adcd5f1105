"""Answers prompts with transformers in float32, greedily: what engines are compared with.

A program for the engine's environment, which has torch and transformers: `python reference.py WEIGHTS`, with chat
bodies as JSON on its input and the tokens of each answer on its output.
"""

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def answers(weights: str, bodies: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """Give the tokens of each answer, up to and including the token that ends it."""
    # The engine's environment has these two, the platform's has not.
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(weights)
    model = transformers.AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    given: list[list[int]] = []
    for body in bodies:
        prompt = tokenizer.apply_chat_template(
            body["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            said = model.generate(**prompt, max_new_tokens=body["max_tokens"], do_sample=False)
        given.append(said[0, prompt["input_ids"].shape[1] :].tolist())
    return given


if __name__ == "__main__":
    json.dump(answers(sys.argv[1], json.load(sys.stdin)), sys.stdout)
