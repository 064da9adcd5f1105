import json
from pathlib import Path
from typing import Any

import pytest

from inferno_cli.models import _rows
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_engine.desired import DesiredModel


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertModel"], "max_position_embeddings": 64}')
    (folder / "tokenizer.json").write_text("{}")
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return folder


def test_without_a_stack_a_model_is_remembered_for_the_next(tmp_path: Path, inferno: Any, weights: Path) -> None:
    arguments = tmp_path / "arguments.json"
    arguments.write_text('{"max_num_seqs": 3}')
    done = inferno(tmp_path, "models", "add", "vectors", "--weights", str(weights), "--engine-args", str(arguments))
    assert done.returncode == 0, done.stderr
    assert "vectors:1 is added. `inferno up` will serve it." in done.stdout
    assert "vectors" in inferno(tmp_path, "models", "list").stdout
    (added,) = json.loads(inferno(tmp_path, "models", "list", "--json").stdout)["added"]
    model = json.loads((Path(added["source"]) / "1" / "model.json").read_text())
    assert (model["max_num_seqs"], model["runner"], model["max_model_len"]) == (3, "pooling", 64)
    assert inferno(tmp_path, "models", "remove", "vectors").returncode == 0
    assert json.loads(inferno(tmp_path, "models", "list", "--json").stdout)["added"] == []


@pytest.mark.parametrize(
    ("args", "settings", "said"),
    [
        (["add", "Big", "--weights", "{weights}"], {}, "Model name 'Big'"),
        (["add", "big", "--weights", "{weights}", "--version", "0"], {}, "Version '0'"),
        (["add", "big", "--weights", "{weights}/none"], {}, "is not a folder"),
        (["add", "big", "--weights", "{weights}", "--engine-args", "{weights}/tokenizer.jso"], {}, "can't be read"),
        (["add", "big", "--weights", "{weights}"], {"INFERNO_TRITON__URLS": "t:8001"}, "INFERNO_TRITON__URLS"),
        (["remove", "smollm2"], {}, "comes with the platform"),
        (["remove", "none"], {}, "There are: none"),
    ],
)
def test_what_can_not_be_done_is_said(
    tmp_path: Path, inferno: Any, weights: Path, args: list[str], settings: dict[str, str], said: str
) -> None:
    done = inferno(tmp_path, "models", *(arg.format(weights=weights) for arg in args), **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_row_for_each_host_and_for_what_nobody_has() -> None:
    told = HostedModel("big", "1", ModelState.READY, 0.0, context=10, slots=2, running=1)
    added = [DesiredModel("big", "1", "/s"), DesiredModel("big", "2", "/s")]
    rows = [[str(cell) for cell in row] for row in _rows([Host("triton-0", "", "", "", (told,))], added)]
    assert [row[:4] for row in rows] == [["big", "1", "triton-0", "ready"], ["big", "2", "", "added"]]
    assert rows[0][5:8] == ["10", "2", "1"]
