"""`inferno up`: starts a stack, repairs it, or changes its numbers."""

import asyncio
import os
import time
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.types import PositiveInt
from rich.console import Console

from inferno_cli.configuration import read_settings
from inferno_cli.progress import shown
from inferno_cli.waiting import is_up, until_answers
from inferno_cli.welcome import welcome
from inferno_core.errors import Unavailable
from inferno_core.settings import Settings
from inferno_local import setup
from inferno_local.client import Client
from inferno_local.files import read_json
from inferno_local.home import Home
from inferno_local.report import Wanted, given_settings

Engine = Annotated[
    Literal["vllm", "synthetic"] | None,
    Parameter(show_default=False),
]
Count = Annotated[PositiveInt | None, Parameter(show_default=False)]


def up(
    *,
    engine: Engine = None,
    api: Count = None,
    workers: Count = None,
    triton: Count = None,
    foreground: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Start the stack, and return when it answers.

    The first start installs and fetches what is missing. Run again it changes nothing; with other numbers it starts
    or stops only what differs; after a crash it repairs. What is not said stays as it runs, or ran when it crashed (at
    first, and after `inferno down`: one of each).

    Parameters
    ----------
    engine
        vllm: SmolLM2 on this machine's CPU. synthetic: made-up words at once. At first: vllm.
    api
        How many API processes. The first listens on INFERNO_PORT (8080), the others on free ports.
    workers
        How many workers.
    triton
        How many Triton servers, each with its agent.
    foreground
        Supervise in this terminal until Ctrl-C, instead of in the background.

    """
    settings, console = read_settings(), Console(highlight=False, soft_wrap=True)
    home = Home.at(settings.home)
    client = Client(home)
    running = client.status()
    before = running.wanted if running else read_json(home.wanted, Wanted)
    wanted = _wanted(before or Wanted(), engine, api, workers, triton)
    if running and running.settings != given_settings(os.environ):
        console.print("The stack keeps the settings that it was started with; `down`, then `up` applies this shell's.")
    if running and running.wanted == wanted and is_up(running):
        console.print(f"The stack in {home.root} is up already; nothing was changed.")
        welcome(console, home, wanted)
        return
    with shown(console) as report:
        setup.ensure(settings, wanted, report)
    if foreground:
        _supervise(settings, home, wanted, console)
        return
    if running is None:
        client.start()
    _bring_up(client, home, wanted, console, undo=running is None)


def _wanted(before: Wanted, engine: Engine, api: Count, workers: Count, triton: Count) -> Wanted:
    """Change what runs, or ran when it crashed, by what is asked."""
    asked = {"engine": engine, "api": api, "workers": workers, "triton": triton}
    return msgspec.structs.replace(before, **{name: value for name, value in asked.items() if value is not None})


def _bring_up(client: Client, home: Home, wanted: Wanted, console: Console, *, undo: bool) -> None:
    """Apply what is wanted and wait for it. If that fails, what was started for it is stopped again."""
    begun = time.monotonic()
    try:
        client.apply(wanted)
        until_answers(client, home, console)
    except Unavailable:
        if undo:
            client.down()
        raise
    console.print(f"The stack in {home.root} is up after {time.monotonic() - begun:.1f} s.")
    welcome(console, home, wanted)


def _supervise(settings: Settings, home: Home, wanted: Wanted, console: Console) -> None:
    # The drivers that it asks servers with take a while to import, which every other command is spared.
    from inferno_local import daemon, stack

    def bring_up() -> None:
        _bring_up(Client(home), home, wanted, console, undo=True)
        console.print("Ctrl-C stops it.")

    asyncio.run(daemon.run(settings, os.environ, stack.table, beside=bring_up))
    console.print(f"The stack in {home.root} is stopped.")
