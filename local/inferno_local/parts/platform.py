"""The platform's own processes: `inferno run NAME`, each configured by its environment alone."""

import sys
from collections.abc import Mapping

from inferno_local.part import Part
from inferno_local.ports import LOOPBACK, Ports
from inferno_local.probes import healthy

_SERVERS = frozenset({"kafka", "postgres", "redis"})


def platform_part(kind: str, index: int, ports: Ports, env: Mapping[str, str], needs: frozenset[str]) -> Part:
    """Process `index` of a kind that serves nothing but its own health and metrics, as worker and agent."""
    name = f"{kind}-{index}"
    port = ports.claim(f"{name}-metrics")
    return _part(kind, name, port, {**env, "INFERNO_METRICS_PORT": str(port)}, needs)


def api_part(index: int, port: int, reply_partition: int, env: Mapping[str, str], needs: frozenset[str]) -> Part:
    """API process `index`, listening on `port`, with its answers in `reply_partition`."""
    settings = {
        "INFERNO_API__HOST": LOOPBACK,
        "INFERNO_API__PORT": str(port),
        "INFERNO_API__REPLY_PARTITION": str(reply_partition),
    }
    return _part("api", f"api-{index}", port, {**env, **settings}, needs)


def task(name: str, module: str, env: Mapping[str, str], needs: frozenset[str]) -> Part:
    """A module that is run once, before those that need it."""
    return Part(name=name, argv=(sys.executable, "-m", module), env=env, needs=needs, ready=None)


def _part(kind: str, name: str, port: int, env: Mapping[str, str], needs: frozenset[str]) -> Part:
    address = f"{LOOPBACK}:{port}"

    async def ready() -> str | None:
        return await healthy(address)

    return Part(
        name=name,
        argv=(sys.executable, "-m", "inferno_cli.run", kind),
        env={**env, "INFERNO_NAME": name},
        needs=needs,
        uses=_SERVERS,
        ready=ready,
        stop_s=12,
        endpoints={name: address},
    )
