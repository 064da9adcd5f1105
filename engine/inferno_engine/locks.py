"""One process at a time, across processes."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from inferno_engine.progress import Progress, Report


@contextmanager
def alone(lock: Path, step: str, report: Report) -> Generator[None, None, None]:
    """Hold the lock file `lock`; the system releases it if this process dies. Waits for as long as another holds it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Progress(step, "waiting for another process that does the same"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
