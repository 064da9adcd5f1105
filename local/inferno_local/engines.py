"""What each kind of engine needs on disk: a Python environment for Triton, and the models that it serves."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from inferno_core.errors import Unavailable
from inferno_core.settings import Settings
from inferno_engine import desired, environment, weights
from inferno_engine.environment import Environment
from inferno_engine.errors import Unverified
from inferno_engine.progress import Report, silent
from inferno_local.added_models import AddedModels, together
from inferno_local.checkout import ROOT
from inferno_local.home import Home
from inferno_local.report import Engine


class EngineSetup(NamedTuple):
    """An engine that can be started."""

    environment: Environment
    models: Sequence[desired.DesiredModel]


def ensure(engine: Engine, settings: Settings, report: Report = silent) -> EngineSetup:
    """Install and convert what is missing; once it is there this takes milliseconds. Raises `Unavailable`."""
    return _SETUPS[engine](settings, report)


def write_desired(home: Home, engine: Engine, setup: EngineSetup) -> Path:
    """Write down for the agents what their Tritons shall serve. Another engine is another file.

    What people added is real weights, so it is served by the real engine alone. Raises `Unavailable`.
    """
    path = home.data / f"desired-{engine}.json"
    try:
        added = AddedModels(home, ROOT / "model_repository").read() if engine == "vllm" else []
    except Unverified as error:
        raise Unavailable(f"The models that were added can't be served: {error}") from error
    desired.write(path, together(setup.models, added))
    return path


def _synthetic(settings: Settings, report: Report) -> EngineSetup:
    made = environment.ensure_triton_environment(ROOT, report)
    return EngineSetup(made, [desired.synthetic(ROOT, settings.synthetic, default=True)])


def _vllm(_: Settings, report: Report) -> EngineSetup:
    made = environment.ensure_vllm_environment(ROOT, report)
    converted = weights.ensure_smollm2(ROOT, made, report)
    return EngineSetup(made, [desired.smollm2(ROOT, converted, default=True)])


_SETUPS = {"synthetic": _synthetic, "vllm": _vllm}
