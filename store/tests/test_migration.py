import asyncio

from inferno_store import databases, migration, postgres


async def test_migrations_bring_a_database_to_the_head_once(admin_dsn: str) -> None:
    dsn = await databases.ensure(admin_dsn, database="migrated", password="p")
    await asyncio.gather(*(migration.migrate(dsn) for _ in range(3)))
    await migration.migrate(dsn)
    async with postgres.opened(dsn) as database:
        rows = await database.rows("SELECT version_num FROM alembic_version")
        tables = await database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    assert [row[0] for row in rows] == [migration.head()]
    assert [row[0] for row in tables] == ["alembic_version", "keys", "organisations", "projects"]
