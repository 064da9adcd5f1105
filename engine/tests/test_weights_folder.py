import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inferno_engine import digests, weights_folder
from inferno_engine.errors import Unverified

CONFIG = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 512, "model_type": "llama"}


def tensors(file: Path, *, missing: int = 0) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8 - missing))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weights"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    (made / "tokenizer.json").write_text("{}")
    tensors(made / "model.safetensors")
    return made


def test_a_sound_folder_is_known_file_by_file(folder: Path):
    found = weights_folder.look(folder)
    assert found.path == folder.resolve()
    assert (found.tasks, found.context) == (("completion",), 512)
    assert sorted(found.files) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert found.digest == digests.folder_digest(folder)


def test_a_chat_template_makes_it_chat(folder: Path):
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert weights_folder.look(folder).tasks == ("chat", "completion")
    (folder / "tokenizer_config.json").unlink()
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert weights_folder.look(folder).tasks == ("chat", "completion")


@pytest.mark.parametrize(
    ("changes", "tasks", "context"),
    [
        ({"architectures": ["BertModel"]}, ("embedding",), 512),
        ({"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "pad_token_id": 1}, ("embedding",), 510),
        ({"max_position_embeddings": None, "text_config": {"max_position_embeddings": 99}}, ("completion",), 99),
        ({"max_position_embeddings": None}, ("completion",), 0),
    ],
)
def test_its_configuration_says_what_it_does(folder: Path, changes: object, tasks: tuple[str, ...], context: int):
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))  # type: ignore[operator]
    found = weights_folder.look(folder)
    assert (found.tasks, found.context) == (tasks, context)


def _link(folder: Path) -> None:
    (folder / "other.json").symlink_to(folder / "config.json")


def _pickle(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "pytorch_model.bin").write_bytes(b"\x80\x04")


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _no_architecture(folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _no_tensors(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut(folder: Path) -> None:
    tensors(folder / "model.safetensors", missing=3)


def _shard_missing(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_link, "symbolic link: copy the folder"),
        (_pickle, r"sub/pytorch_model\.bin may be a pickle"),
        (_no_config, r"config\.json is missing"),
        (_no_architecture, "architectures"),
        (_broken_config, "can't be read"),
        (_no_tensors, "no \\*.safetensors"),
        (_cut, "fetch it again"),
        (_shard_missing, r"model-2\.safetensors is missing"),
        (_no_tokenizer, "no tokenizer"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, spoil: Callable[[Path], None], said: str):
    spoil(folder)
    with pytest.raises(Unverified, match=said):
        weights_folder.look(folder)


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(Unverified, match="is not a folder"):
        weights_folder.look(tmp_path / "none")


def test_a_model_that_sees_says_so(folder: Path):
    assert weights_folder.look(folder).modalities == ("text",)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vision_config": {"depth": 2}}))
    assert weights_folder.look(folder).modalities == ("text", "image")
