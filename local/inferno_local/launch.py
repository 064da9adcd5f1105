"""Becomes a server that can't outlive the supervisor. Run as a script, by `Family.spawn` alone.

`preexec_fn` would do the same in the supervisor's own forked image, which is not safe beside its threads. The
process id stays the same through `exec`, so the server itself is the supervisor's direct child.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when `parent` ends; leave at once if it has ended already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The supervisor is gone.")


def become_nobody() -> None:
    """Enter a user namespace in which this user is `nobody`: Postgres refuses to run as root."""
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        sys.exit(
            "This kernel allows no user namespace to root, and Postgres does not run as root: "
            "run Inferno as an ordinary user, or point INFERNO_POSTGRES__DSN at a server."
        )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def main() -> None:
    """`launch.py PARENT nobody|same COMMAND…`."""
    parent, identity, *command = sys.argv[1:]
    if identity == "nobody":
        become_nobody()
    # After the namespace, since a change of credentials clears the signal.
    die_with(int(parent))
    # The interpreter ignores these two, and ignoring is inherited through exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the server is the purpose
    except OSError as error:
        sys.exit(f"Can't run {command[0]}: {error.strerror}.")


if __name__ == "__main__":
    main()
