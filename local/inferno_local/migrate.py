"""The stack's task once Postgres is up: databases, tables, the first organisation, its key."""

import asyncio

from inferno_core.keys import Secret
from inferno_core.settings import Settings
from inferno_local.home import Home
from inferno_local.parts import postgres
from inferno_local.ports import Ports
from inferno_local.vault import unlock
from inferno_store import bootstrap, databases, migration


async def migrate(settings: Settings) -> None:
    """Bring the database of `settings` up to date; without an address there, the stack's own."""
    home = Home.at(settings.home)
    vault = unlock(home.secrets)
    dsn = settings.postgres.dsn.get_secret_value()
    if not dsn:
        admin = postgres.admin_dsn(home, Ports.in_use(home.ports), vault)
        dsn = await databases.ensure(admin, password=vault.users_password)
    await migration.migrate(dsn)
    pepper = settings.secrets.key_pepper.get_secret_value() or vault.key_pepper
    await bootstrap.first(dsn, pepper.encode(), Secret(vault.api_key))


if __name__ == "__main__":
    asyncio.run(migrate(Settings()))
