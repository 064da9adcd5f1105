import asyncio

from inferno_core import keys
from inferno_store import bootstrap
from inferno_store.postgres import Database


async def test_the_first_start_can_be_repeated_and_run_at_once(dsn: str, database: Database, pepper: bytes) -> None:
    key = keys.issue()
    tenants = await asyncio.gather(*(bootstrap.first(dsn, pepper, key) for _ in range(4)))
    assert len(set(map(repr, tenants))) == 1
    row = await database.row("SELECT count(*) FROM keys WHERE prefix = $1", keys.prefix(key))
    assert row is not None
    assert row[0] == 1


async def test_another_key_belongs_to_the_same_project(dsn: str, pepper: bytes) -> None:
    first = await bootstrap.first(dsn, pepper, keys.issue())
    second = await bootstrap.first(dsn, pepper, keys.issue())
    assert (first.organisation, first.project) == (second.organisation, second.project)
    assert first.key != second.key
