"""Makes the engine's environments in the checkout: `.venv-triton` (server and backend), `.venv-vllm` (the same
with vLLM).

They are apart from the platform's own: Triton's stub needs numpy 1, and vLLM brings 5 GB. A stamp, written last,
holds the digest of what an environment was made from, so a second call does nothing, and one that was interrupted
is made again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from inferno_engine import interpreter
from inferno_engine.downloads import Downloads
from inferno_engine.errors import SetupFailed
from inferno_engine.locks import alone
from inferno_engine.progress import Progress, Report, silent

_STAMP = ".inferno-stamp"
_LAST_LINES = 8


class Environment(NamedTuple):
    """A Python environment at `root`."""

    root: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.root / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python3"

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return self.root / "lib" / f"python{interpreter.version()}" / "site-packages"


def ensure_triton_environment(checkout: Path, report: Report = silent) -> Environment:
    """Make `.venv-triton`, enough for the synthetic engine, if it is not there as locked. Raises SetupFailed."""
    return _ensure(checkout, ".venv-triton", ("triton.lock",), (), report)


def ensure_vllm_environment(checkout: Path, report: Report = silent, torch_index: str = "") -> Environment:
    """Make `.venv-vllm`, in which both engines run, if it is not there as locked. Raises SetupFailed.

    `torch_index` is a package index that has torch's CPU build: 4 GB of CUDA libraries are then left out. Its
    torch is of the locked version, but no hash can be checked.
    """
    locks = ("triton.lock", "vllm.lock", "model.lock")
    extra = () if not torch_index else ("--index", torch_index)
    return _ensure(checkout, ".venv-vllm", locks, extra, report)


def _ensure(checkout: Path, name: str, locks: Sequence[str], extra: Sequence[str], report: Report) -> Environment:
    found = interpreter.problem()
    if found is not None:
        raise SetupFailed(found)
    requirements = checkout.resolve() / "engine" / "requirements"
    files = [requirements / lock for lock in locks]
    environment = Environment(checkout.resolve() / name)
    wanted = _digest(files, extra)
    cache = checkout.resolve() / ".cache"
    if _stamp(environment) == wanted:
        return environment
    with alone(cache / f"{name}.lock", "engine environment", report):
        # Another process may have made it while this one waited.
        if _stamp(environment) != wanted:
            _make(environment, files, extra, cache / "uv", report)
            _write_stamp(environment, wanted)
    return environment


def _digest(files: Sequence[Path], extra: Sequence[str]) -> str:
    """Digest all that an environment is made from: the locks, the interpreter, other indexes."""
    digest = hashlib.sha256(f"{sys.base_prefix}\0{sys.version}\0{extra}".encode())
    for file in files:
        try:
            digest.update(file.read_bytes())
        except FileNotFoundError:
            raise SetupFailed(f"{file} is missing: the engine starts from a checkout of the project.") from None
    return digest.hexdigest()


def _stamp(environment: Environment) -> str:
    try:
        return (environment.root / _STAMP).read_text()
    except OSError:
        return ""


def _write_stamp(environment: Environment, digest: str) -> None:
    beside = environment.root / f"{_STAMP}.new"
    beside.write_text(digest)
    beside.replace(environment.root / _STAMP)


def _make(environment: Environment, files: Sequence[Path], extra: Sequence[str], cache: Path, report: Report) -> None:
    report(Progress("engine environment", f"making {environment.root.name}"))
    shutil.rmtree(environment.root, ignore_errors=True)
    _uv(["venv", "--quiet", "--python", sys.executable, str(environment.root)], cache, report)
    torch = [file for file in files if extra and file.name == "vllm.lock"]
    pinned = [file for file in files if file not in torch]
    target = ["pip", "install", "--python", str(environment.python), "--no-deps"]
    _uv([*target, "--require-hashes", *_named(pinned)], cache, report)
    if torch:
        _install_with_index(target, torch[0], extra, cache, report)


def _install_with_index(target: Sequence[str], lock: Path, extra: Sequence[str], cache: Path, report: Report) -> None:
    """Install all but CUDA's libraries by hash, and torch from the other index by its version."""
    entries = _entries(lock)
    torch = next(entry.split()[0] for entry in entries if entry.startswith("torch=="))
    rest = cache.parent / "vllm-without-cuda.txt"
    rest.write_text("".join(entry for entry in entries if not entry.startswith(("torch==", "nvidia-", "cuda-"))))
    _uv([*target, "--require-hashes", *_named([rest])], cache, report)
    _uv([*target, *extra, torch], cache, report)


def _entries(lock: Path) -> list[str]:
    """Split a lock file into its requirements, each with the hashes that follow it."""
    entries: list[str] = []
    for line in lock.read_text().splitlines(keepends=True):
        if line.startswith(" "):
            entries[-1] += line
        else:
            entries.append(line)
    return entries


def _named(files: Sequence[Path]) -> list[str]:
    return [argument for file in files for argument in ("-r", str(file))]


def _uv(arguments: Sequence[str], cache: Path, report: Report) -> None:
    """Run the platform's own uv, and pass on what it says. Raises SetupFailed with its last words."""
    environ = os.environ | {"UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1", "NO_COLOR": "1"}
    environ.pop("VIRTUAL_ENV", None)
    process = subprocess.Popen(  # noqa: S603 - all arguments are our own
        [sys.executable, "-m", "uv", *arguments],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    downloads = Downloads()
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines = [*lines, line.strip()][-_LAST_LINES:]
        report(downloads.read(line))
    if process.wait():
        raise SetupFailed(
            "The engine's environment could not be installed. Is the network there, and disk space? uv says: "
            + " ".join(lines)
        )
