"""The supervisor's children: born, reaped, and their orphans buried.

The supervisor is a subreaper: what a dead server leaves behind (an engine of a killed Triton, say) becomes its child
and is killed on arrival.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from inferno_core.errors import DeadlineExceeded, Unavailable
from inferno_local.explain import cause, last_words, written
from inferno_local.home import Home
from inferno_local.leftovers import MARK, Register

PR_SET_CHILD_SUBREAPER = 36
_LAUNCH = Path(__file__).with_name("launch.py")


class Child:
    """A running process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid
        self.started = time.time()
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def has_exited(self) -> bool:
        """Whether it has ended and was collected."""
        return self._exited.done()

    async def exit(self, within_s: float | None = None) -> int:
        """Wait for its end: the exit code, negative for a signal. Raises `TimeoutError`; others may wait too."""
        return await asyncio.wait_for(asyncio.shield(self._exited), within_s)

    def reap(self) -> bool:
        """Collect the exit code if it has ended."""
        code = self._process.poll()
        if code is None:
            return False
        if not self._exited.done():
            self._exited.set_result(code)
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        self._process.send_signal(number)

    async def stop(self, number: signal.Signals, within_s: float) -> None:
        """Ask it to leave; after `within_s` it is killed."""
        self.send(number)
        try:
            await self.exit(within_s)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.exit()


class Family:
    """Starts every process of a stack. Used in the main thread, inside a running loop."""

    def __init__(self, home: Home) -> None:
        self._children: dict[int, Child] = {}
        self._root = home.root
        self._mark = {MARK: str(home.root), "INFERNO_HOME": str(home.root)}
        self._register = Register(home.register)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str], log: Path, *, nobody: bool = False, cwd: Path | None = None
    ) -> Child:
        """Start `argv`, with its output appended to `log`; it dies with this process.

        The kernel ties its life to the thread that made it, so that must be the main one.
        """
        identity = "nobody" if nobody and os.geteuid() == 0 else "same"
        launch = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), identity]
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the stack's own table
                [*launch, *argv],
                env={**env, **self._mark},
                cwd=cwd or self._root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(process)
        self._children[child.pid] = child
        self._register.add(child.pid)
        return child

    def spawn_survivor(self, argv: Sequence[str], log: Path) -> Child:
        """Start `argv` as a child that does not die with this process."""
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the stack's own
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        self._children[process.pid] = child = Child(process)
        return child

    async def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        nobody: bool = False,
        within_s: float = 120,
    ) -> None:
        """Run `argv` to its end. Raises `Unavailable` with what it said last, `DeadlineExceeded` if it hangs."""
        before = written(log)
        child = self.spawn(argv, env, log, nobody=nobody)
        try:
            code = await child.exit(within_s)
        except TimeoutError:
            raise DeadlineExceeded(f"{Path(argv[0]).name} took longer than {within_s:.0f} s. See {log}.") from None
        finally:
            child.send(signal.SIGKILL)
        if code:
            raise Unavailable(f"{Path(argv[0]).name} {cause(code, last_words(log, before))}")

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            if child.reap():
                del self._children[pid]
                self._register.remove(pid)
        for orphan in psutil.Process().children():
            if orphan.pid not in self._children and not _is_own(orphan.pid):
                self._bury(orphan)

    def _bury(self, orphan: psutil.Process) -> None:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()
        with suppress(ChildProcessError):
            # Its end sends another SIGCHLD, so whoever still lives now is collected then.
            os.waitpid(orphan.pid, os.WNOHANG)


def _is_own(pid: int) -> bool:
    """Whether this process runs it for itself, and collects it. What descends from a child is in another session."""
    with suppress(ProcessLookupError):
        return os.getsid(pid) == os.getsid(0)
    return False
