"""The stack's task once Postgres is up: databases, tables, the first organisation, its key."""

import asyncio
import hashlib
from pathlib import Path

from inferno_core.keys import Secret
from inferno_core.settings import Settings
from inferno_local import checkout
from inferno_local.files import write_private
from inferno_local.home import Home
from inferno_local.parts import postgres
from inferno_local.ports import Ports
from inferno_local.vault import Vault, unlock


def is_done(home: Home, vault: Vault) -> bool:
    """Whether the stack's own server has had exactly these steps, so that a warm start need not ask it."""
    stamp = _stamp(home)
    return stamp.exists() and stamp.read_text() == _digest(vault)


def _stamp(home: Home) -> Path:
    """It stands in the cluster's own folder, so it goes where the tables go."""
    return home.data / "postgres" / "inferno-migrated"


def _digest(vault: Vault) -> str:
    digest = hashlib.sha256(f"{vault.api_key}\0{vault.key_pepper}\0{vault.users_password}".encode())
    for path in sorted((checkout.ROOT / "store" / "inferno_store").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


async def migrate(settings: Settings) -> None:
    """Bring the database of `settings` up to date; without an address there, the stack's own."""
    # The supervisor asks `is_done` of this module, and has no use for what carries migrations out.
    from inferno_store import bootstrap, databases, migration

    home = Home.at(settings.home)
    vault = unlock(home.secrets)
    dsn = settings.postgres.dsn.get_secret_value()
    if not dsn:
        admin = postgres.admin_dsn(home, Ports.in_use(home.ports), vault)
        dsn = await databases.ensure(admin, password=vault.users_password)
    await migration.migrate(dsn)
    pepper = settings.secrets.key_pepper.get_secret_value() or vault.key_pepper
    await bootstrap.first(dsn, pepper.encode(), Secret(vault.api_key))
    if not settings.postgres.dsn.get_secret_value():
        write_private(_stamp(home), _digest(vault))


if __name__ == "__main__":
    asyncio.run(migrate(Settings()))
