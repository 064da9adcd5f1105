"""The supervisor of the embedded stack: what `inferno up` leaves running, or runs itself with `--foreground`."""

import asyncio
import os

from inferno_core.settings import Settings
from inferno_local import daemon, stack


def main(settings: Settings) -> None:
    """Supervise until told to stop."""
    asyncio.run(daemon.run(settings, os.environ, stack.table))
