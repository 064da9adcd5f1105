"""A Triton of a measurement's own, that serves one version of one model."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from inferno_core.errors import DeadlineExceeded, Unavailable
from inferno_engine import shared_memory, triton
from inferno_engine.control import ControlFailed, TritonControl
from inferno_engine.environment import Environment
from inferno_engine.measuring.processes import Process, free_ports, started

_LIVE_S = 30.0
_ASK_S = 0.1
_ENGINE = re.compile(r'key:\s*"engine"\s*value:\s*\{\s*string_value:\s*"(\w+)"')


class Version(NamedTuple):
    """What is served: a model's name, its config.pbtxt, and the engine's arguments, weights included."""

    name: str
    config: str
    arguments: Mapping[str, Any]

    @property
    def engine(self) -> str:
        """Which engine its configuration names."""
        named = _ENGINE.search(self.config)
        return named.group(1) if named else "vllm"

    def write(self, repository: Path) -> Path:
        """Lay it out in a repository as version 1; give that version's folder."""
        folder = repository / self.name / "1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "config.pbtxt").write_text(self.config)
        (folder / "model.json").write_text(json.dumps(self.arguments, indent=2))
        return folder


class Host(NamedTuple):
    """A Triton that serves: its gRPC address, and its process."""

    address: str
    model: str
    process: Process


@asynccontextmanager
async def serve(
    name: str, environment: Environment, folder: Path, version: Version, timeout_s: float
) -> AsyncGenerator[Host]:
    """Start a Triton in `folder`, load `version`, and end all of it on leaving.

    Raises Unavailable when the version can't be loaded, with the reason, and DeadlineExceeded.
    """
    await asyncio.to_thread(_prepare, environment, folder, version)
    ports = triton.Ports(*free_ports(3))
    command = triton.command(environment, folder, ports, name)
    address = f"127.0.0.1:{ports.grpc}"
    try:
        async with started(name, command.argv, command.env, command.cwd) as process:
            await _load(process, address, version.name, timeout_s)
            yield Host(address, version.name, process)
    finally:
        shared_memory.clean(folder)


def _prepare(environment: Environment, folder: Path, version: Version) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    triton.prepare(environment, folder)
    version.write(triton.repository(folder))


async def _load(process: Process, address: str, model: str, timeout_s: float) -> None:
    control = TritonControl(address)
    try:
        await _until_live(process, control)
        async with asyncio.timeout(timeout_s):
            await control.load(model, timeout_s)
    except ControlFailed as error:
        raise Unavailable(f"{model} can't be loaded: {error}") from error
    except TimeoutError:
        raise DeadlineExceeded(f"{model} was not loaded within {timeout_s:.0f} s.") from None
    finally:
        await control.close()


async def _until_live(process: Process, control: TritonControl) -> None:
    async with asyncio.timeout(_LIVE_S):
        while not await control.live():
            if process.ended:
                raise process.failure()
            await asyncio.sleep(_ASK_S)
