"""The processes of the Triton that an agent keeps: the server, and the stub of each version.

They are seen only where both run on one machine, by the repository that they share: a server that runs elsewhere has
none here, and nothing here is ever taken for it.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import psutil

_SERVER = "tritonserver"
_STUB = "triton_python_backend_stub"
_REPOSITORY = "--model-repository="


class Processes:
    """Finds and ends the processes of the Triton that serves `repository`."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._server: psutil.Process | None = None

    def server(self) -> psutil.Process | None:
        """Give the server, or None where it is not to be seen."""
        if self._server is None or not self._server.is_running():
            self._server = next(filter(self._is_ours, psutil.process_iter()), None)
        return self._server

    def stubs(self, name: str, version: str) -> list[psutil.Process]:
        """Give the stubs of a version: one as a rule, more while an older one says its last words."""
        server = self.server()
        if server is None:
            return []
        with suppress(psutil.Error):
            return [child for child in server.children() if _runs(child, name, version)]
        return []

    def newest_stub(self, name: str, version: str) -> list[psutil.Process]:
        """Give the one that serves a version, if it is to be seen: an older one only says its last words."""
        return sorted(self.stubs(name, version), key=psutil.Process.create_time)[-1:]

    def kill(self, found: list[psutil.Process]) -> None:
        """End processes at once. An engine's own processes end with their stub by themselves."""
        for process in found:
            # psutil compares when a process began, so another that got its number is left alone.
            with suppress(psutil.Error):
                process.kill()

    def kill_server(self, older_than_s: float, now: float) -> bool:
        """End the server, with all its stubs, if it is to be seen and that old; say whether it was."""
        server = self.server()
        with suppress(psutil.Error):
            if server is not None and now - server.create_time() > older_than_s:
                server.kill()
                return True
        return False

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.name() != _SERVER or Path(process.exe()).name != _SERVER:
                return False
            folder = Path(process.cwd())
            named = [argument.removeprefix(_REPOSITORY) for argument in process.cmdline() if _REPOSITORY in argument]
            return any((folder / path).samefile(self._repository) for path in named)
        except (psutil.Error, OSError):
            return False


async def ended(process: psutil.Process) -> None:
    """Return when a process has ended; the system tells within a millisecond."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    try:
        # The number could have been given to another process before the descriptor was there.
        if process.is_running():
            loop.add_reader(descriptor, over.set)
            await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _runs(stub: psutil.Process, name: str, version: str) -> bool:
    try:
        # Triton starts it as `…/triton_python_backend_stub REPOSITORY/NAME/VERSION/model.py …`.
        program, model, *_ = stub.cmdline()
        return Path(program).name == _STUB and Path(model).parts[-3:-1] == (name, version)
    except (psutil.Error, ValueError):
        return False
