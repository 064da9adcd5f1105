"""The home folder of one stack: all that it writes, and where. Nothing of a stack lies outside of it."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from inferno_core.errors import Unavailable

# sockaddr_un holds 108 bytes on Linux; a little is left for what servers append while they start.
SOCKET_PATH_LIMIT = 100
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Home:
    """Names every file of a stack. `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, path: Path) -> "Home":
        """The home at `path`, with its folders made and closed to everyone else."""
        home = cls(Path(os.path.abspath(path)))  # noqa: PTH100 - resolve() would follow a link that the user chose
        for folder in (home.root, home.run, home.temporary, home.logs, home.data):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        return home

    @property
    def run(self) -> Path:
        """Sockets, and the settings files that are written at each start."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """What the servers keep."""
        return self.root / "data"

    @property
    def temporary(self) -> Path:
        """What servers write and forget."""
        return self.run / "tmp"

    @property
    def register(self) -> Path:
        """The supervisor's children, for whoever has to bury them."""
        return self.run / "children.json"

    @property
    def control(self) -> Path:
        """The supervisor's socket."""
        return self.run / "control.sock"

    @property
    def credentials(self) -> Path:
        """Address, key and log-in, for people and scripts."""
        return self.root / "credentials.json"

    @property
    def secrets(self) -> Path:
        """What the processes share and nobody is shown."""
        return self.root / "secrets.json"

    @property
    def wanted(self) -> Path:
        """Which processes the stack has, from `up` to `down`: what a crash must not forget."""
        return self.root / "wanted.json"

    @property
    def ports(self) -> Path:
        """The ports that were chosen, so that addresses survive a restart."""
        return self.root / "ports.json"

    def log(self, name: str) -> Path:
        """The log of process `name`."""
        return self.logs / f"{name}.log"

    def socket(self, name: str) -> Path | None:
        """The path of a unix socket, or None where the folder's own path is too long to have one.

        Or where it has a comma, at which Postgres' clients split their list of hosts.
        """
        path = self.run / name
        return path if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and "," not in str(path) else None

    @contextmanager
    def supervised(self, within_s: float = 0.0) -> Generator[None]:
        """Hold the lock that makes a supervisor the only one of this home.

        The kernel frees it with the process, however that ends. Raises `Unavailable` if another holds it for longer
        than `within_s`.
        """
        deadline = time.monotonic() + within_s
        with (self.run / "supervisor.lock").open("w") as lock:
            while not _lock(lock):
                if time.monotonic() >= deadline:
                    raise Unavailable(f"Another supervisor runs the stack in {self.root}. See `inferno status`.")
                time.sleep(_POLL_S)
            yield

    def is_supervised(self) -> bool:
        """Whether some supervisor holds this home."""
        try:
            with self.supervised():
                return False
        except Unavailable:
            return True


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
