"""A small process beside a stub: ends it when tritonserver has ended. `python watcher.py TRITONSERVER_PID`.

A thread in the stub can't: a tritonserver that is killed in the middle of a message leaves a lock taken, on which
the stub waits for ever, holding Python's own lock.
"""

import os
import select
import signal
import sys


def watch(server: int) -> None:
    """Wait for the end of `server` or of this process' parent, the stub; the stub does not outlive the server."""
    stub_fd = os.pidfd_open(os.getppid())
    try:
        server_fd = os.pidfd_open(server)
    except ProcessLookupError:
        signal.pidfd_send_signal(stub_fd, signal.SIGKILL)
        return
    poller = select.poll()
    poller.register(server_fd, select.POLLIN)
    poller.register(stub_fd, select.POLLIN)
    if any(fd == server_fd for fd, _ in poller.poll()):
        try:
            signal.pidfd_send_signal(stub_fd, signal.SIGKILL)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    watch(int(sys.argv[1]))
