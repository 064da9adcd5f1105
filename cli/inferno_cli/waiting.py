"""Waits until a stack answers, and shows how far it is."""

import http.client
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.live import Live

from inferno_cli.table import table
from inferno_core.errors import Unavailable
from inferno_local.client import Client
from inferno_local.home import Home
from inferno_local.report import ProcessReport, StackReport

# A real model on two cores is loaded in about a minute; the first time it may compile for several.
DEADLINE_S = 900.0
POLL_S = 0.1
GIVES_UP_AFTER = 3

Show = Callable[[StackReport, str], None]


def is_up(report: StackReport) -> bool:
    """Whether every process is ready, and the first API process can answer with a model."""
    return (
        bool(report.processes)
        and all(process.state in {"ready", "done"} for process in report.processes)
        and readiness(report.url) is None
    )


def readiness(url: str) -> str | None:
    """None if the API at `url` says it is ready, else what it waits for."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return "waiting for the API"
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return None
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"/readyz answers {response.status}"


def until_answers(client: Client, home: Home, console: Console) -> None:
    """Return when the stack is up. Raises `Unavailable` with the cause if it can't be."""
    begun = time.monotonic()
    restarts: dict[str, int] = {}
    with _display(console) as show:
        while True:
            report = client.status()
            if report is None:
                raise Unavailable(f"The supervisor is gone. See {home.log('supervisor')}.")
            pending = [process for process in report.processes if process.state not in {"ready", "done"}]
            note = "" if pending else readiness(report.url)
            show(report, note or "")
            if note is None:
                return
            _give_up_on_crashes(pending, restarts, home)
            if time.monotonic() - begun > DEADLINE_S:
                waiting = ", ".join(process.name for process in pending) or note
                raise Unavailable(f"The stack did not answer within {DEADLINE_S:.0f} s: {waiting}.")
            time.sleep(POLL_S)


def _give_up_on_crashes(pending: list[ProcessReport], restarts: dict[str, int], home: Home) -> None:
    for process in pending:
        before = restarts.setdefault(process.name, process.restarts)
        if process.restarts - before >= GIVES_UP_AFTER:
            raise Unavailable(f"{process.name} can't be started: it {process.cause}. Its log: {home.log(process.name)}")


@contextmanager
def _display(console: Console) -> Generator[Show]:
    """A live table in a terminal; elsewhere a line for each process that becomes ready, and for each new note."""
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            yield lambda report, note: live.update(table(report, note), refresh=True)
        return
    said: set[str] = set()

    def say(report: StackReport, note: str) -> None:
        ready = [f"{process.name} is ready" for process in report.processes if process.state == "ready"]
        for line in (*ready, _without_numbers(note)):
            if line and line not in said:
                said.add(line)
                console.print(line, markup=False)

    yield say


def _without_numbers(note: str) -> str:
    """A note that only counts on is said once."""
    return note.partition(":")[0]
