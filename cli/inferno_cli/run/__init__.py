"""The composition roots: one module a process, each with `main(settings) -> None`."""

import importlib

from inferno_cli.configuration import read_settings
from inferno_core.errors import NotFound

PROCESSES = ("agent", "api", "supervisor", "worker")


def run(name: str, /) -> None:
    """Run one process of the platform in this terminal, as the stack or a container does.

    Parameters
    ----------
    name
        agent, api, supervisor or worker. It reads its settings from the environment.

    """
    if name not in PROCESSES:
        raise NotFound(f"There is no process {name!r} to run. There are: {', '.join(PROCESSES)}.")
    importlib.import_module(f"{__name__}.{name}").main(read_settings())
