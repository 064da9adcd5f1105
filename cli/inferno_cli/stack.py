"""The commands that start, show and stop a stack."""

import asyncio
import os
import time
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.types import PositiveInt
from inferno_core.errors import Unavailable
from inferno_core.settings import Settings
from inferno_local import daemon, setup
from inferno_local.client import Client
from inferno_local.home import Home
from inferno_local.report import StackReport, Wanted
from rich.console import Console

from inferno_cli.configuration import read_settings
from inferno_cli.progress import shown
from inferno_cli.table import table
from inferno_cli.waiting import is_up, until_answers
from inferno_cli.welcome import welcome

Engine = Annotated[
    Literal["vllm", "synthetic"] | None,
    Parameter(help="vllm: SmolLM2 on this machine's CPU. synthetic: made-up words at once. Default: vllm."),
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
    or stops only what differs; after a crash it repairs. What is not said stays as it runs (at first: one of each).

    Parameters
    ----------
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
    wanted = _wanted(running, engine, api, workers, triton)
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


def down() -> None:
    """Stop every process of the stack, in order. What it keeps stays in the home folder."""
    home = Home.at(read_settings().home)
    console = Console(highlight=False, soft_wrap=True)
    with console.status("Stopping"):
        stopped = Client(home).down()
    console.print(f"The stack in {home.root} {'is stopped' if stopped else 'was not running'}.")


def status(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Show the processes of the stack, and where its servers are.

    Parameters
    ----------
    json
        As JSON for programs: url, processes, endpoints.
    """
    home = Home.at(read_settings().home)
    report = Client(home).status()
    if json:
        print(_as_json(report or StackReport()))  # noqa: T201 - for programs, without rich's line breaks
    elif report is None:
        raise Unavailable(f"No stack runs in {home.root}. Start it with `inferno up`.")
    else:
        console = Console(highlight=False)
        console.print(table(report))
        for name, address in report.endpoints.items():
            console.print(f"{name:>14}  {address}", markup=False, soft_wrap=True)


def restart(name: str, /) -> None:
    """Restart one process in order, and return when it is ready again.

    Parameters
    ----------
    name
        Its name in `inferno status`, as `worker-0`.
    """
    client = Client(Home.at(read_settings().home))
    console = Console(highlight=False)
    begun = time.monotonic()
    with console.status(f"Restarting {name}"):
        client.restart(name)
    console.print(f"{name} is ready again after {time.monotonic() - begun:.1f} s.")


def _wanted(
    running: StackReport | None, engine: str | None, api: int | None, workers: int | None, triton: int | None
) -> Wanted:
    before = running.wanted if running and running.wanted else Wanted()
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
    def bring_up() -> None:
        _bring_up(Client(home), home, wanted, console, undo=True)
        console.print("Ctrl-C stops it.")

    asyncio.run(daemon.run(settings, os.environ, beside=bring_up))
    console.print(f"The stack in {home.root} is stopped.")


def _as_json(report: StackReport) -> str:
    shown = ("name", "pid", "state", "restarts", "since", "rss_bytes")
    processes = [
        {name: getattr(process, name) for name in shown} for process in report.processes if not process.task
    ]
    document = {"url": report.url, "processes": processes, "endpoints": report.endpoints}
    return msgspec.json.format(msgspec.json.encode(document)).decode()
