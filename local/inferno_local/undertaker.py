"""Buries what a killed supervisor leaves behind: its servers die with it, but not what those started themselves.

A process of its own that sleeps until the supervisor is gone: `python -m inferno_local.undertaker HOME SUPERVISOR`.
"""

import os
import select
import sys
from pathlib import Path


def outlive(pid: int) -> None:
    """Return when process `pid`, this one's parent, has ended."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    if os.getppid() == pid:
        select.select([process], [], [])
    os.close(process)


def bury(root: Path) -> None:
    """Kill what is left, unless another supervisor has come meanwhile: that one does it itself."""
    # Imported now: until its moment comes this process should weigh nothing.
    from inferno_core.errors import Unavailable
    from inferno_local import leftovers
    from inferno_local.home import Home

    home = Home.at(root)
    try:
        with home.supervised():
            leftovers.bury(home.root, leftovers.Register(home.register))
    except Unavailable:
        return


if __name__ == "__main__":
    outlive(int(sys.argv[2]))
    bury(Path(sys.argv[1]))
