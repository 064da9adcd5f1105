"""The first start: one organisation, one project, and the key that the stack prints."""

from inferno_core.keys import Secret
from inferno_core.records import Tenant
from inferno_store import keys, tenants
from inferno_store.postgres import opened


async def first(dsn: str, pepper: bytes, key: Secret) -> Tenant:
    """Make organisation `default` with project `default` and `key`, where they are missing; gives whose the key is.

    Running it again, or twice at once, changes nothing.
    """
    async with opened(dsn) as database:
        organisation = await tenants.ensure_organisation(database, "default", "Default organisation")
        project = await tenants.ensure_project(database, organisation, "default", "Default project")
        await keys.add(database, project=project, name="first key", secret=key, pepper=pepper)
        found = await keys.find(database, key, pepper)
    assert found is not None, "the key was added just now"
    return found.tenant
