import json
from pathlib import Path

import pytest

from inferno_core.errors import InvalidRequest, NotFound
from inferno_core.settings import Settings
from inferno_engine import desired
from inferno_engine.desired import DesiredModel
from inferno_engine.environment import Environment
from inferno_engine.errors import Unverified
from inferno_engine.weights_folder import WeightsFolder
from inferno_local import engines
from inferno_local.added_models import AddedModels, together
from inferno_local.checkout import ROOT
from inferno_local.engines import EngineSetup
from inferno_local.home import Home

WEIGHTS = WeightsFolder(Path("/weights"), ("embedding",), 512, {"config.json": "abc"}, "digest")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


@pytest.fixture
def models(home: Home) -> AddedModels:
    return AddedModels(home, ROOT / "model_repository")


def test_what_is_added_is_remembered_as_a_folder_of_a_model_repository(models: AddedModels, home: Home) -> None:
    added = models.add("vectors", "", WEIGHTS, {"dtype": "float32"}, default=False)
    assert (added.key, added.tasks, added.files) == (("vectors", "1"), ("embedding",), {"config.json": "abc"})
    source = Path(added.source)
    assert json.loads((source / "1" / "model.json").read_text()) == {"dtype": "float32"}
    assert "version_policy { all { } }" in (source / "config.pbtxt").read_text()
    assert AddedModels(home, ROOT / "model_repository").read() == [added]


def test_the_next_version_is_chosen_after_those_that_the_platform_brings(models: AddedModels) -> None:
    first = models.add("smollm2", "", WEIGHTS, {}, default=False)
    assert first.version == "2"
    own = (ROOT / "model_repository" / "smollm2" / "config.pbtxt").read_text()
    assert (Path(first.source) / "config.pbtxt").read_text() == own
    assert models.add("smollm2", "", WEIGHTS, {}, default=False).version == "3"


@pytest.mark.parametrize(
    ("name", "version", "error", "said"),
    [
        ("Big", "1", Unverified, "Model name"),
        ("../up", "", Unverified, "Model name"),
        ("big", "latest", Unverified, "Version 'latest'"),
        ("smollm2", "1", InvalidRequest, "--version 2"),
        ("synthetic", "5", InvalidRequest, "needs no weights"),
    ],
)
def test_what_cannot_be_added_is_said(
    models: AddedModels, name: str, version: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        models.add(name, version, WEIGHTS, {}, default=False)
    assert models.read() == []


def test_versions_do_not_change(models: AddedModels) -> None:
    models.add("big", "4", WEIGHTS, {}, default=False)
    with pytest.raises(InvalidRequest, match="--version 5"):
        models.add("big", "4", WEIGHTS, {}, default=False)


def test_what_is_removed_is_gone(models: AddedModels) -> None:
    first, second = (models.add("big", "", WEIGHTS, {}, default=False) for _ in range(2))
    assert models.remove("big", "1") == [first]
    assert not (Path(first.source) / "1").exists()
    assert models.remove("big", "") == [second]
    assert models.read() == []


@pytest.mark.parametrize(("name", "said"), [("smollm2", "comes with the platform"), ("none", "There are: big:1")])
def test_what_cannot_be_removed_is_said(models: AddedModels, name: str, said: str) -> None:
    models.add("big", "", WEIGHTS, {}, default=False)
    with pytest.raises(NotFound, match=said):
        models.remove(name, "")


def test_one_default_takes_the_place_of_the_others(models: AddedModels) -> None:
    brought = [DesiredModel("smollm2", "1", "/s", default=True)]
    models.add("a", "", WEIGHTS, {}, default=True)
    models.add("b", "", WEIGHTS, {}, default=True)
    models.add("c", "", WEIGHTS, {}, default=False)
    assert [(model.name, model.default) for model in together(brought, models.read())] == [
        ("smollm2", False),
        ("a", False),
        ("b", True),
        ("c", False),
    ]
    assert together(brought, []) == brought


def test_agents_are_told_of_them_where_real_weights_are_served(models: AddedModels, home: Home) -> None:
    added = models.add("vectors", "", WEIGHTS, {}, default=False)
    brought = DesiredModel("smollm2", "1", "/s", default=True)
    setup = EngineSetup(Environment(home.root), [brought])
    assert desired.read(engines.write_desired(home, "vllm", setup)) == [brought, added]
    synthetic = EngineSetup(Environment(home.root), [desired.synthetic(ROOT, Settings().synthetic, default=True)])
    assert desired.read(engines.write_desired(home, "synthetic", synthetic)) == list(synthetic.models)
