"""The `inferno` command."""

import os
import sys
from typing import NoReturn

from cyclopts import App

from inferno_core.errors import InfernoError

app = App(
    name="inferno",
    help="""Run Inferno on this machine: a broker, databases, Triton, workers and the API, without root or containers.

    All that a stack keeps is in its home folder (`INFERNO_HOME`, by default `.inferno`); two folders are two stacks.
    Every setting is an environment variable; docs/settings.md lists them.
    """,
    version_flags=["--version"],
)
# Named, not imported: a command pays for its own imports alone. So its line of help stands here too.
COMMANDS = {
    "inferno_cli.up:up": """Start the stack, and return when it answers.

        The first start installs and fetches what is missing. Run again it changes nothing; with other numbers it
        starts or stops only what differs; after a crash it repairs. What is not said stays as it runs, or ran when
        it crashed (at first, and after `inferno down`: one of each).
        """,
    "inferno_cli.stack:down": "Stop every process of the stack, in order.",
    "inferno_cli.stack:status": "Show the processes of the stack, and where its servers are.",
    "inferno_cli.logs:logs": "Show what the processes say.",
    "inferno_cli.stack:restart": "Restart one process in order.",
    "inferno_cli.models:models": "Add models to the stack, show and remove them.",
    "inferno_cli.engine:engine": "Look after engines: `tune` finds the fastest settings for this machine.",
    "inferno_cli.doctor:doctor": "Check whether this machine can run a stack, and say what to do where it can't.",
    "inferno_cli.run:run": "Run one process of the platform in this terminal.",
}
for place, line in COMMANDS.items():
    app.command(place, help=line)


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence, with exit code 1."""
    try:
        app()
    except InfernoError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read has seen enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def fail(message: str) -> NoReturn:
    """Say what went wrong and leave."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print("inferno:", message, style="red", markup=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
