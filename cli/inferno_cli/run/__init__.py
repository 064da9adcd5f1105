"""The composition roots: one module a process, each with `main() -> None`. Only they read settings."""

import importlib
import pkgutil

from inferno_core.errors import NotFound


def names() -> list[str]:
    """The processes that can be run."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def start(name: str) -> None:
    """Become process `name`. Raises `NotFound` if there is none."""
    if name not in names():
        raise NotFound(f"There is no process {name!r} to run. There are: {', '.join(names())}.")
    importlib.import_module(f"{__name__}.{name}").main()
