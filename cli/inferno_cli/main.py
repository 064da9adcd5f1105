"""The `inferno` command."""

import sys
from typing import NoReturn

from cyclopts import App
from inferno_core.errors import InfernoError
from rich.console import Console

from inferno_cli import doctor, logs, run, stack

app = App(
    name="inferno",
    help="""Run Inferno on this machine: a broker, databases, Triton, workers and the API, without root or containers.

    All that a stack keeps is in its home folder (`INFERNO_HOME`, by default `.inferno`); two folders are two stacks.
    Every setting is an environment variable; docs/settings.md lists them.
    """,
    version_flags=["--version"],
)
app.command(stack.up)
app.command(stack.down)
app.command(stack.status)
app.command(stack.restart)
app.command(logs.logs)
app.command(doctor.doctor)
app.command(run.start, name="run")


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence, with exit code 1."""
    try:
        app()
    except InfernoError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(130)


def fail(message: str) -> NoReturn:
    """Say what went wrong and leave."""
    Console(stderr=True, highlight=False, soft_wrap=True).print("inferno:", message, style="red", markup=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
