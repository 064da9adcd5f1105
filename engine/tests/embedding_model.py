"""Makes the weights of a second small real model: a BERT of two layers with random weights, and a tokenizer of letters.

A program for the engine's environment, which has torch and transformers: `python embedding_model.py FOLDER TEXT…`.
It prints the embedding of each text, as transformers computes it, as JSON.
"""

import json
import os
import string
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The engine's environment, in which this runs as a program, has no platform.
    from inferno_engine.environment import Environment

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LONGEST = 128


def make(environment: "Environment", folder: Path, texts: list[str]) -> list[list[float]]:
    """Make the folder in a few seconds, and give the embeddings of `texts`."""
    argv = [str(environment.python), str(Path(__file__)), str(folder), *texts]
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = string.ascii_lowercase + string.digits + string.punctuation
    words = [*_SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    known = {word: number for number, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", known["[SEP]"]), ("[CLS]", known["[CLS]"]))
    names = {f"{word.strip('[]').lower()}_token": word for word in _SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=_LONGEST, **names)


def _write(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = _tokenizer()
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=_LONGEST,
        # Untrained weights of the usual size would make all texts alike.
        initializer_range=0.5,
    )
    model = BertModel(config).eval()
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return tokenizer, model


def _embed(tokenizer: Any, model: Any, text: str) -> list[float]:
    """The first token's state, of length 1: what vLLM takes for the embedding of a BERT that says nothing else."""
    import torch

    with torch.no_grad():
        state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0]
    return list(torch.nn.functional.normalize(state, dim=0).tolist())


if __name__ == "__main__":
    made = _write(Path(sys.argv[1]))
    print(json.dumps([_embed(*made, text) for text in sys.argv[2:]]))
