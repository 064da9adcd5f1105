"""`python -m inferno_cli.run NAME`: `inferno run NAME` without the rest of the command, as the supervisor starts it."""

import sys

from inferno_cli.run import run
from inferno_core.errors import InfernoError

if __name__ == "__main__":
    try:
        run(sys.argv[1])
    except InfernoError as error:
        sys.exit(error.message)
