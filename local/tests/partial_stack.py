"""A supervisor as `inferno run supervisor`, over the real servers and stand-ins for Triton and the API."""

import asyncio
import os
import sys

from inferno_core.settings import Settings
from inferno_local import daemon, stack
from inferno_local.part import Part
from inferno_local.ports import LOOPBACK
from inferno_local.probes import healthy
from inferno_local.report import Wanted
from inferno_local.stack import Site


def web(site: Site, name: str, port: int, needs: set[str]) -> Part:
    """A process that answers HTTP."""
    address = f"{LOOPBACK}:{port}"

    async def ready() -> str | None:
        return await healthy(address, "/")

    argv = (sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(port))
    return Part(name=name, argv=argv, env=site.server_env, needs=frozenset(needs), ready=ready, cwd=site.home.temporary)


def engine(site: Site, name: str) -> Part:
    """A process with a child that outlives it."""

    async def ready() -> str | None:
        return None

    script = "import subprocess, time; subprocess.Popen(['sleep', '1000']); time.sleep(1000)"
    return Part(name=name, argv=(sys.executable, "-c", script), env=site.server_env, ready=ready)


def table(site: Site, wanted: Wanted) -> list[Part]:
    """Real servers, and one process of each other kind."""
    servers = [*stack.servers(site), *stack.migrations(site)]
    names = {part.name for part in servers}
    servers = [part.needing(part.needs & names) for part in servers]
    apis = [web(site, f"api-{index}", stack.api_port(site, index), {"migrate"} & names) for index in range(wanted.api)]
    return [*servers, *(engine(site, f"triton-{index}") for index in range(wanted.triton)), *apis]


if __name__ == "__main__":
    asyncio.run(daemon.run(Settings(), os.environ, table))
