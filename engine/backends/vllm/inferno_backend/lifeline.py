"""Sees to it that a process ends with its parent, however that ended.

Triton's stub survives a killed tritonserver, and an engine's processes survive a killed stub; both keep their memory. A
thread on the parent's pidfd notices within a millisecond. (PR_SET_PDEATHSIG won't do: it follows the thread that
spawned.) vLLM runs `end_with_parent` in each of its processes, since this package names it as a plugin.
"""

import multiprocessing
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

_started = threading.Lock()


def end_with_parent() -> None:
    """End this process, at once and without clean-up, when its parent has ended. Calling it again does nothing."""
    if not _started.acquire(blocking=False):
        return
    threading.Thread(target=_watch, args=(_open_parent(),), name="lifeline", daemon=True).start()


def be_watched() -> None:
    """Have a process beside this one, Triton's stub, end it with tritonserver (see `watcher`)."""
    watcher = str(Path(__file__).with_name("watcher.py"))
    fds = (_open_parent(), os.pidfd_open(os.getpid()))
    argv = [sys.executable, "-I", "-S", watcher, *map(str, fds)]
    subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=fds)  # noqa: S603 - all arguments are our own
    for fd in fds:
        os.close(fd)


def _open_parent() -> int:
    """Give the parent's pidfd; end this process if the parent has ended, whose number may be another's by now."""
    parent = os.getppid()
    spawner = multiprocessing.parent_process()
    if spawner is not None and spawner.pid != parent:
        # It ended while this process still imported its modules, which takes an engine half a minute.
        os._exit(1)
    try:
        fd = os.pidfd_open(parent)
    except ProcessLookupError:
        os._exit(1)
    if os.getppid() != parent:
        os._exit(1)
    return fd


def _watch(fd: int) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while not poller.poll():
        pass
    os._exit(1)
