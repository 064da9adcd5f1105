import json
from pathlib import Path

import pytest
from serving import ROOT

from inferno_engine import engine_arguments
from inferno_engine.errors import Unverified
from inferno_engine.weights_folder import WeightsFolder

GENERATES = WeightsFolder(Path("/weights"), ("chat", "completion"), 131072, {}, "")
EMBEDS = WeightsFolder(Path("/weights"), ("embedding",), 3000, {}, "")


def test_the_platform_s_own_model_gives_the_defaults():
    arguments = engine_arguments.complete({}, GENERATES, ROOT)
    own = json.loads((ROOT / "model_repository" / "smollm2" / "1" / "model.json").read_text())
    assert arguments["dtype"] == own["dtype"] == "float32"
    assert arguments["max_model_len"] == 4096
    assert arguments["load_format"] == "safetensors"
    assert "kv_cache_memory_bytes" not in arguments


def test_what_is_given_stands_above_them():
    given = {"max_model_len": 100, "dtype": "bfloat16", "quantization": "awq"}
    assert given.items() <= engine_arguments.complete(given, GENERATES, ROOT).items()


def test_what_embeds_reads_a_text_in_one_step():
    arguments = engine_arguments.complete({}, EMBEDS, ROOT)
    assert arguments["runner"] == "pooling"
    assert arguments["max_num_batched_tokens"] >= arguments["max_model_len"] == 3000


def test_a_file_of_arguments(tmp_path: Path):
    file = tmp_path / "arguments.json"
    file.write_text('{"max_num_seqs": 4}')
    assert engine_arguments.read(file) == {"max_num_seqs": 4}
    assert engine_arguments.read(None) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "JSON object"),
        ("{", "JSON object"),
        ('{"model": "x"}', "--weights says it"),
        ('{"trust_remote_code": true}', "never run"),
        ('{"load_format": "pt"}', "safetensors alone"),
        ('{"enable_prompt_embeds": true}', "pickles"),
    ],
)
def test_what_cannot_be_given_is_named(tmp_path: Path, text: str, said: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(Unverified, match=said):
        engine_arguments.read(tmp_path / "a.json")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(Unverified, match=r"none\.json can't be read"):
        engine_arguments.read(tmp_path / "none.json")
