"""`python -m inferno_cli.run NAME`: what the supervisor starts; the same as `inferno run NAME`, without the rest of the command."""

import sys

from inferno_core.errors import InfernoError

from inferno_cli.run import start

if __name__ == "__main__":
    try:
        start(sys.argv[1])
    except InfernoError as error:
        sys.exit(error.message)
