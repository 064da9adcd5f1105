"""A small process beside a stub: ends it when tritonserver has ended. `python watcher.py SERVER_FD STUB_FD`.

A thread in the stub can't: a tritonserver that is killed in the middle of a message leaves a lock taken, on which
the stub waits for ever, holding Python's own lock.
"""

import select
import signal
import sys


def watch(server_fd: int, stub_fd: int) -> None:
    """Wait for the end of the server or of the stub, both given as pidfds; the stub does not outlive the server.

    They were opened by the stub: whoever looked for it from here, after it had ended, could take another for it.
    """
    poller = select.poll()
    poller.register(server_fd, select.POLLIN)
    poller.register(stub_fd, select.POLLIN)
    if any(fd == server_fd for fd, _ in poller.poll()):
        try:
            signal.pidfd_send_signal(stub_fd, signal.SIGKILL)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    watch(*map(int, sys.argv[1:3]))
