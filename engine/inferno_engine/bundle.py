"""Puts Triton's backend folder together: the Python backend of the wheel, and ours on top of it.

Ours takes pure modules of the platform with it (the errors, the synthetic engine), so that both sides speak of the same
things. The copy is made anew at each start: a running Triton never sees a file change.
"""

import shutil
from pathlib import Path

import inferno_core
from inferno_engine.errors import SetupFailed
from inferno_engine.interpreter import version

SOURCE = Path(__file__).resolve().parent.parent / "backends"
# What the backend imports of the domain: nothing that stands on a framework.
_CORE_MODULES = (
    "__init__.py",
    "audience.py",
    "errors.py",
    "fence.py",
    "hosted.py",
    "hosting.py",
    "records.py",
    "session.py",
)
_BYTECODE = shutil.ignore_patterns("__pycache__", "*.pyc", "tests")


def server(site_packages: Path) -> Path:
    """Give the folder of the wheel's Triton. Raises SetupFailed if the environment has none."""
    root = site_packages / "pytriton" / "tritonserver"
    if not (root / "bin" / "tritonserver").is_file():
        raise SetupFailed(f"{site_packages} holds no tritonserver. Remove that environment and start again.")
    return root


def assemble(site_packages: Path, target: Path) -> None:
    """Fill `target` with the folders `python` and `vllm`, as Triton's --backend-directory wants them."""
    shutil.rmtree(target, ignore_errors=True)
    wheel = server(site_packages)
    python = target / "python"
    python.mkdir(parents=True)
    # Copies, since Triton refuses links that lead out of its folder.
    for file in (wheel / "backends" / "python").iterdir():
        shutil.copy(file, python)
    stub = wheel / "python_backend_stubs" / version() / "triton_python_backend_stub"
    if not stub.is_file():
        raise SetupFailed(f"Triton's wheel has no stub for Python {version()}. Use Python 3.11 or 3.12.")
    shutil.copy(stub, python)
    backend(target / "vllm")


def backend(target: Path) -> None:
    """Make the folder `target` our backend, with the platform's pure modules that it imports. It must not be there."""
    if not SOURCE.is_dir():
        raise SetupFailed(f"{SOURCE} is missing: the engine starts from a checkout of the project.")
    shutil.copytree(SOURCE / "vllm", target, ignore=_BYTECODE)
    source, core = Path(inferno_core.__file__).parent, target / "inferno_core"
    core.mkdir()
    for module in _CORE_MODULES:
        shutil.copy(source / module, core)
    engine = target / "inferno_engine"
    shutil.copytree(Path(__file__).parent / "synthetic", engine / "synthetic", ignore=_BYTECODE)
    shutil.copy(Path(__file__).parent / "__init__.py", engine)
