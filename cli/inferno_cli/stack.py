"""The commands that show, restart and stop a running stack."""

import time
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

from inferno_cli.configuration import read_settings
from inferno_cli.table import table
from inferno_core.errors import Unavailable
from inferno_local.client import Client
from inferno_local.home import Home
from inferno_local.report import StackReport


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
    report = Client(home).status(memory=True)
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


def _as_json(report: StackReport) -> str:
    shown = ("name", "pid", "state", "restarts", "since", "rss_bytes")
    processes = [{name: getattr(process, name) for name in shown} for process in report.processes if not process.task]
    document = {"url": report.url, "processes": processes, "endpoints": report.endpoints}
    return msgspec.json.format(msgspec.json.encode(document)).decode()
