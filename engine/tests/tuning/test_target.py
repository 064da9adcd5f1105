from pathlib import Path

import pytest
from serving import ROOT

from inferno_core.errors import InfernoError
from inferno_engine.tuning import target
from inferno_engine.tuning.settings import Settings


def test_the_synthetic_model_has_no_weights():
    found = target.find(ROOT, "synthetic", None)
    assert found.weights is None
    assert found.version(Settings({"step_ms": 1}, {})).arguments == {"step_ms": 1}


def test_settings_begin_with_the_models_own(tmp_path: Path):
    assert target.settings(ROOT, "smollm2", None).arguments["dtype"] == "float32"
    (tmp_path / "args.json").write_text('{"dtype": "auto"}')
    assert target.settings(ROOT, "smollm2", tmp_path / "args.json").document() == {"dtype": "auto"}


def test_a_model_that_is_not_there_is_said():
    with pytest.raises(InfernoError, match="There are: smollm2, synthetic"):
        target.find(ROOT, "teapot", None)
    with pytest.raises(InfernoError, match="There are: smollm2, synthetic"):
        target.settings(ROOT, "teapot", None)


@pytest.mark.parametrize(("text", "said"), [("[1]", "no JSON object"), (None, "can't be read")])
def test_settings_that_can_not_be_read_are_said(tmp_path: Path, text: str | None, said: str):
    file = tmp_path / "args.json"
    if text:
        file.write_text(text)
    with pytest.raises(InfernoError, match=said):
        target.settings(ROOT, "smollm2", file)
