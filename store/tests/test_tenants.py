import asyncpg
import pytest

from inferno_store import tenants
from inferno_store.postgres import Database


async def test_an_organisation_and_its_project_are_made_once(database: Database) -> None:
    first = await tenants.ensure_organisation(database, "acme", "Acme")
    assert await tenants.ensure_organisation(database, "acme", "Other name") == first
    project = await tenants.ensure_project(database, first, "web", "Web")
    assert await tenants.ensure_project(database, first, "web", "Other name") == project


async def test_projects_of_two_organisations_may_share_a_name(database: Database) -> None:
    owners = [await tenants.ensure_organisation(database, slug, slug) for slug in ("north", "south")]
    assert len({await tenants.ensure_project(database, owner, "web", "Web") for owner in owners}) == 2


async def test_a_slug_outside_the_grammar_is_refused(database: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await tenants.ensure_organisation(database, "Not a slug", "name")
