"""The composition roots: one module a process, each with `main() -> None`. Only they read settings."""

import importlib

from inferno_core.errors import NotFound

PROCESSES = ("agent", "api", "supervisor", "worker")


def start(name: str) -> None:
    """Become process `name`. Raises `NotFound` if there is none."""
    if name not in PROCESSES:
        raise NotFound(f"There is no process {name!r} to run. There are: {', '.join(PROCESSES)}.")
    importlib.import_module(f"{__name__}.{name}").main()
