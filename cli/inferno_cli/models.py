"""`inferno models`: adds models to a stack, shows and removes them."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from inferno_cli import presence
from inferno_cli.here import Here, said
from inferno_core.hosts import Host, ModelState
from inferno_engine import engine_arguments, weights_folder
from inferno_engine.desired import DesiredModel
from inferno_local.checkout import ROOT

models = App(name="models", help="Add models to the stack, show and remove them.")
Version = Annotated[str, Parameter(show_default=False)]
Switch = Parameter(negative="")
_COLOURS = {ModelState.READY: "green", ModelState.FAILED: "red", ModelState.RETIRING: "dim"}


@models.command
def add(
    name: str,
    /,
    *,
    weights: Path,
    engine_args: Path | None = None,
    version: Version = "",
    default: Annotated[bool, Switch] = False,
) -> None:
    """Serve a folder of weights, and return when it answers.

    The folder is as Hugging Face's libraries write it: config.json, safetensors, a tokenizer. It stays where it is,
    and must not change: its files' digests are compared before each load. What can't be loaded is taken back.

    Parameters
    ----------
    name
        Under which requests ask for it: lower-case letters, digits, dot, dash, underscore.
    weights
        The folder.
    engine_args
        File of vLLM's keyword arguments in JSON, as `inferno engine tune` writes it. They stand above the defaults.
    version
        A number from 1 on. Without: the next one. Requests get the newest version that serves.
    default
        It is the model that is listed first, and that the stack's readiness waits for.

    """
    here = Here()
    here.check_takes_weights()
    with said():
        given = engine_arguments.read(engine_args)
        with here.console.status(f"Reading {weights}"):
            found = weights_folder.look(weights)
        arguments = engine_arguments.complete(given, found, ROOT)
        added = here.added.add(name, version, found, arguments, default=default)
    if not here.is_running:
        here.console.print(f"{name}:{added.version} is added. `inferno up` will serve it.")
        return
    here.apply()
    try:
        with here.telling() as say:
            asyncio.run(presence.until_serving(here.redis_url, *added.key, here.hosts, say))
    except presence.NotServed:
        _take_back(here, added)
        raise
    tasks = " and ".join(added.tasks)
    here.console.print(f"{name}:{added.version} serves {tasks}.")


@models.command(name="list")
def show(*, json: Annotated[bool, Switch] = False) -> None:
    """Show the models of the stack, and how they stand on its engine hosts.

    Parameters
    ----------
    json
        As JSON for programs: the hosts, and what was added.

    """
    here = Here()
    with said():
        added = here.added.read()
    hosts = asyncio.run(presence.read(here.redis_url)) if here.is_running else []
    if json:
        document = {"hosts": hosts, "added": added}
        print(msgspec.json.format(msgspec.json.encode(document)).decode())  # noqa: T201 - for programs
        return
    here.console.print(_table(hosts, added))
    if not here.is_running:
        here.console.print(f"No stack runs in {here.home.root}. `inferno up` starts it.")


@models.command
def remove(name: str, /, *, version: Version = "") -> None:
    """Serve a model that was added no longer. What it has in hand goes on; its weights stay where they are.

    Parameters
    ----------
    name
        Its name.
    version
        Only this version. Without: all that were added.

    """
    here = Here()
    with said():
        gone = here.added.remove(name, version)
    if here.is_running:
        here.apply()
        with here.telling() as say:
            for model in gone:
                asyncio.run(presence.until_gone(here.redis_url, *model.key, say))
    here.console.print(f"{', '.join(f'{name}:{model.version}' for model in gone)} is removed.")


def _take_back(here: Here, added: DesiredModel) -> None:
    """Remove what can't be served: it would be tried for ever, and stand in the way of other arguments."""
    here.added.remove(*added.key)
    here.apply()
    with here.telling() as say:
        asyncio.run(presence.until_gone(here.redis_url, *added.key, say))


def _table(hosts: Sequence[Host], added: Sequence[DesiredModel]) -> Table:
    """One row a version and host; what nobody has stands without a host."""
    shown = Table(box=None, pad_edge=False)
    for name in ("model", "version", "host", "state", "tasks", "context", "slots", "running", ""):
        shown.add_column(name, justify="right" if name in {"context", "slots", "running"} else "left")
    for row in _rows(hosts, added):
        shown.add_row(*row)
    return shown


def _rows(hosts: Sequence[Host], added: Sequence[DesiredModel]) -> Iterator[tuple[str | Text, ...]]:
    everywhere = {(model.name, model.version) for host in hosts for model in host.models}
    for host in hosts:
        for model in host.models:
            state = Text(model.state.value, style=_COLOURS.get(model.state, "yellow"))
            counts = (str(model.context or ""), str(model.slots or ""), str(model.running or ""))
            yield model.name, model.version, host.name, state, ", ".join(model.tasks), *counts, Text(model.detail)
    for desired in added:
        if desired.key not in everywhere:
            yield *desired.key, "", Text("added", style="dim"), ", ".join(desired.tasks), "", "", "", ""
