import asyncio

import pytest

from inferno_core.errors import Unavailable
from inferno_store import postgres
from inferno_store.postgres import Database


async def test_a_process_starts_while_postgres_is_away() -> None:
    async with postgres.opened("postgresql://users:secret-word@127.0.0.1:1/users") as database:
        with pytest.raises(Unavailable) as caught:
            await database.row("SELECT 1")
    assert "secret-word" not in caught.value.message
    assert caught.value.retry_after_s is not None


async def test_probe_says_why_without_the_secret(dsn: str) -> None:
    assert await postgres.probe(dsn) is None
    sentence = await postgres.probe("postgresql://users:secret-word@127.0.0.1:1/users")
    assert sentence is not None
    assert "secret-word" not in sentence
    assert await postgres.probe(dsn.replace("/users?", "/nowhere?")) is not None


async def test_a_statement_that_takes_too_long_is_ended(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.row("SELECT pg_sleep(30)")


async def test_the_pool_is_bounded(dsn: str) -> None:
    async with postgres.opened(f"{dsn}&application_name=bounded", size=2) as database:
        await asyncio.gather(*(database.execute("SELECT pg_sleep(0.01)") for _ in range(20)))
        row = await database.row("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bounded'")
    assert row is not None
    assert row[0] == 2


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO organisations (slug, name) VALUES ('gone', 'Gone')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await database.row("SELECT 1 FROM organisations WHERE slug = 'gone'") is None


async def test_closing_twice_is_fine(dsn: str) -> None:
    database = Database(dsn)
    await database.open()
    await database.close()
    await database.close()


async def test_a_server_that_ends_its_connections_is_away(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await database.row("SELECT 1") is not None
