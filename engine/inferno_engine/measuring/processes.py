"""Processes that a measurement starts, and that end with it, whatever way it ends."""

import asyncio
import contextlib
import re
import signal
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

from inferno_core.errors import Unavailable

_END_S = 10.0
_ERROR = re.compile(r"\b\w*(Error|Exception): ")
# Whoever measures may be killed, and a Ctrl-C in its terminal does not reach other sessions.
_DIE_TOGETHER = ("setpriv", "--pdeathsig", "KILL", "--")


class Process:
    """A process of ours, with all that it starts. What it says goes to `log`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.returncode is not None

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """Where it listens."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        """What it answers."""
        assert self._process.stdout is not None
        return self._process.stdout

    def cpu_s(self) -> float:
        """CPU time so far, its children's included, in seconds."""
        return sum(sum(each.cpu_times()[:2]) for each in self._family() if each.is_running())

    def pause(self, paused: bool) -> None:
        """Let it, and all that it started, stand still, or go on."""
        number = signal.SIGSTOP if paused else signal.SIGCONT
        for each in self._family():
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def failure(self) -> Unavailable:
        """Say that it ended by itself, with the last error that it said, or whatever it said last."""
        said = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in said if _ERROR.search(line)]
        return Unavailable(f"{self.name} ended by itself. It said: {(errors or said or ['nothing'])[-1].strip()}")

    async def end(self) -> None:
        """Kill it and all that it started, and wait until they are gone."""
        family = self._family()
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        await self._process.wait()
        await asyncio.to_thread(psutil.wait_procs, family, _END_S)

    def _family(self) -> list[psutil.Process]:
        try:
            mine = psutil.Process(self._process.pid)
            return [mine, *mine.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@asynccontextmanager
async def started(
    name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, spoken: bool = False
) -> AsyncGenerator[Process]:
    """Start a process in `cwd`, with its log there, and end it on leaving. `spoken`: it is talked to over pipes."""
    log = cwd / f"{name}.log"
    pipe = asyncio.subprocess.PIPE if spoken else None
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *_DIE_TOGETHER,
            *argv,
            env=env,
            cwd=cwd,
            stdin=pipe or asyncio.subprocess.DEVNULL,
            stdout=pipe or file,
            stderr=file,
            start_new_session=True,
            limit=64 << 20,
        )
    mine = Process(name, process, log)
    try:
        yield mine
    finally:
        # A second interruption must not leave anything behind either.
        await asyncio.shield(mine.end())


def free_ports(count: int) -> list[int]:
    """Find ports on loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
