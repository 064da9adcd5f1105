"""The stack's task after Postgres is up: databases, tables, the first organisation and its key. Doing it again does nothing."""

import asyncio

from inferno_core.keys import Secret
from inferno_core.settings import Settings
from inferno_store import bootstrap, databases, migration

from inferno_local.home import Home
from inferno_local.parts import postgres
from inferno_local.ports import Ports
from inferno_local.vault import unlock


async def migrate(settings: Settings) -> None:
    """Bring the database of `settings` up to date; without an address there, the stack's own."""
    home = Home.at(settings.home)
    vault = unlock(home.secrets)
    dsn = settings.postgres.dsn.get_secret_value()
    if not dsn:
        admin = postgres.admin_dsn(home, Ports(home.ports), vault)
        dsn = await databases.ensure(admin, password=vault.users_password)
    await migration.migrate(dsn)
    pepper = settings.secrets.key_pepper.get_secret_value() or vault.key_pepper
    await bootstrap.first(dsn, pepper.encode(), Secret(vault.api_key))


if __name__ == "__main__":
    asyncio.run(migrate(Settings()))
