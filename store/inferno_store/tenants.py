"""Organisations and projects in Postgres: all SQL of both."""

from inferno_store.postgres import Database

_ENSURE_ORGANISATION = """
    INSERT INTO organisations (slug, name) VALUES ($1, $2)
    ON CONFLICT (slug) DO UPDATE SET slug = excluded.slug
    RETURNING id
"""

_ENSURE_PROJECT = """
    INSERT INTO projects (organisation_id, slug, name) VALUES ($1, $2, $3)
    ON CONFLICT (organisation_id, slug) DO UPDATE SET slug = excluded.slug
    RETURNING id
"""


async def ensure_organisation(database: Database, slug: str, name: str) -> str:
    """Give the id of the organisation called `slug`, which is made if it is missing."""
    row = await database.row(_ENSURE_ORGANISATION, slug, name)
    assert row is not None, "an insert that returns gives a row"
    return str(row["id"])


async def ensure_project(database: Database, organisation: str, slug: str, name: str) -> str:
    """Give the id of the organisation's project called `slug`, which is made if it is missing."""
    row = await database.row(_ENSURE_PROJECT, organisation, slug, name)
    assert row is not None, "an insert that returns gives a row"
    return str(row["id"])
