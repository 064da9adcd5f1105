"""A version's engine in a process of its own, without Triton, driven over pipes."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from inferno_core.errors import EngineFailed
from inferno_engine import bundle, triton
from inferno_engine.environment import Environment
from inferno_engine.measuring import in_process
from inferno_engine.measuring.host import Version
from inferno_engine.measuring.load import Load, Measured
from inferno_engine.measuring.processes import Process, started


class EngineProcess:
    """An engine that can be driven."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def run(self, load: Load) -> Measured:
        """Have `load` generated, all of it submitted at once."""
        self.process.stdin.write(json.dumps({"bodies": load.bodies()}).encode() + b"\n")
        answer = json.loads(await self._line())
        if answer["error"]:
            raise EngineFailed(f"The engine in process failed: {answer['error']}")
        return Measured(load, answer["tokens"], answer["seconds"]).checked()

    async def until_ready(self) -> None:
        """Wait until the engine can generate. Raises Unavailable when it ended instead."""
        await self._line()

    async def _line(self) -> bytes:
        line = await self.process.stdout.readline()
        if not line:
            raise self.process.failure()
        return line


@asynccontextmanager
async def serve(name: str, environment: Environment, folder: Path, version: Version) -> AsyncGenerator[EngineProcess]:
    """Start the engine in `folder`, and end it on leaving."""
    backends = folder / "backends"
    await asyncio.to_thread(_prepare, environment, folder, backends)
    laid_out = await asyncio.to_thread(version.write, folder)
    argv = [str(environment.python), in_process.__file__, str(backends / "vllm"), str(laid_out), version.engine]
    async with started(name, argv, triton.environ(environment, folder), folder, spoken=True) as process:
        engine = EngineProcess(process)
        await engine.until_ready()
        yield engine


def _prepare(environment: Environment, folder: Path, backends: Path) -> None:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    bundle.assemble(environment.site_packages, backends)
