import json
from pathlib import Path

import pytest
from inferno_backend import lora

from inferno_core.errors import InvalidRequest

SERVED = {"doll": 1, "sheep": 2}


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version with the adapter `doll`."""
    (tmp_path / "1" / "doll").mkdir(parents=True)
    (tmp_path / "1" / "doll" / "adapter_config.json").write_text("{}")
    return tmp_path / "1"


@pytest.mark.parametrize("value", [True, "true", "True"])
def test_folders_are_found_from_the_version_on(version: Path, value: object):
    found = version / "doll"
    for written in ("doll", "./doll", str(found)):
        (version / "multi_lora.json").write_text(json.dumps({"doll": written}))
        assert lora.folders(version, {"enable_lora": value}) == {"doll": found}


@pytest.mark.parametrize("arguments", [{}, {"enable_lora": False}, {"enable_lora": "false"}])
def test_where_adapters_are_off_the_file_is_not_read(version: Path, arguments: dict[str, object]):
    (version / "multi_lora.json").write_text("no JSON")
    assert lora.folders(version, arguments) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "missing"),
        ("{", "not JSON"),
        ("[]", "JSON object"),
        ('{"doll": 1}', "JSON object"),
        ('{"sheep": "organisation/sheep"}', "'sheep' has no adapter_config.json"),
    ],
)
def test_what_can_not_be_served_is_told_at_load(version: Path, text: str | None, complaint: str):
    if text is not None:
        (version / "multi_lora.json").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        lora.folders(version, {"enable_lora": True})


def test_an_adapter_is_picked_by_its_name():
    assert lora.pick({"lora_name": "sheep"}, SERVED) == 2
    assert lora.pick({"lora_name": None}, SERVED) is None
    assert lora.pick({}, SERVED) is None
    assert lora.pick({}, None) is None


@pytest.mark.parametrize("name", ["bactrian", "", 7, ["doll"], {"doll": 1}])
def test_an_unknown_name_is_refused_in_the_words_of_the_stock_backend(name: object):
    with pytest.raises(InvalidRequest) as refused:
        lora.pick({"lora_name": name}, SERVED)
    assert refused.value.message == f"LoRA {name} is not supported, we currently support ['doll', 'sheep']"
    assert refused.value.param == "lora_name"


def test_a_refusal_does_not_repeat_a_long_name():
    with pytest.raises(InvalidRequest) as refused:
        lora.pick({"lora_name": "x" * 1000}, SERVED)
    assert len(refused.value.message) < 200


def test_any_name_is_refused_where_adapters_are_off():
    with pytest.raises(InvalidRequest, match=r"^LoRA feature is not enabled\.$") as refused:
        lora.pick({"lora_name": "doll"}, None)
    assert refused.value.param == "lora_name"
