"""An engine host: a Triton, and the agent beside it that loads its models."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from inferno_engine import triton
from inferno_engine.environment import Environment
from inferno_local.home import Home
from inferno_local.part import Part, Run
from inferno_local.parts.platform import platform_part
from inferno_local.ports import LOOPBACK, Ports
from inferno_local.probes import healthy


def triton_part(home: Home, ports: Ports, environment: Environment, index: int) -> Part:
    """Triton number `index`: ready when it lives, with no model loaded yet."""
    name = f"triton-{index}"
    numbers = _ports(ports, name)
    http = f"{LOOPBACK}:{numbers.http}"
    command = triton.command(environment, home.data / name, numbers, name)

    async def prepare(run: Run) -> None:
        await asyncio.to_thread(triton.prepare, environment, home.data / name)

    async def ready() -> str | None:
        return await healthy(http, "/v2/health/live")

    return Part(
        name=name,
        argv=tuple(command.argv),
        env=command.env,
        cwd=command.cwd,
        prepare=prepare,
        ready=ready,
        endpoints={"triton_grpc": f"{LOOPBACK}:{numbers.grpc}", "triton_http": http},
    )


def agent_part(home: Home, ports: Ports, env: Mapping[str, str], index: int, desired: Path) -> Part:
    """The agent beside Triton number `index`."""
    host = f"triton-{index}"
    numbers = _ports(ports, host)
    folder = home.data / f"agent-{index}"
    settings = {
        "INFERNO_AGENT__HOST": host,
        "INFERNO_AGENT__GRPC": f"{LOOPBACK}:{numbers.grpc}",
        "INFERNO_AGENT__HTTP": f"{LOOPBACK}:{numbers.http}",
        "INFERNO_AGENT__METRICS": f"{LOOPBACK}:{numbers.metrics}",
        # The supervisor starts it again.
        "INFERNO_AGENT__KILLS_TRITON": "true",
        "INFERNO_AGENT__REPOSITORY": str(triton.repository(home.data / host)),
        "INFERNO_AGENT__DESIRED": str(desired),
        "INFERNO_AGENT__STATE": str(folder),
    }
    return platform_part("agent", index, ports, {**env, **settings}, frozenset({host}))


def _ports(ports: Ports, name: str) -> triton.Ports:
    return triton.Ports(*(ports.claim(f"{name}-{what}") for what in ("grpc", "http", "metrics")))
