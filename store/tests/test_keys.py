from datetime import UTC, datetime

import pytest

from inferno_core import keys as core_keys
from inferno_core.keys import KeyLimits, Secret
from inferno_store import bootstrap, keys
from inferno_store.postgres import Database


@pytest.fixture
async def secret(dsn: str, pepper: bytes) -> Secret:
    secret = core_keys.issue()
    await bootstrap.first(dsn, pepper, secret)
    return secret


async def test_a_key_is_found_with_all_that_it_allows(database: Database, secret: Secret, pepper: bytes) -> None:
    await database.execute(
        "UPDATE keys SET models = '{smollm2}', endpoints = '{}', networks = '{10.0.0.0/8}', concurrent = 3,"
        " expires_at = '2030-01-01T00:00:00Z' WHERE prefix = $1",
        core_keys.prefix(secret),
    )
    key = await keys.find(database, secret, pepper)
    assert key is not None
    assert key.prefix == core_keys.prefix(secret)
    assert (key.models, key.endpoints, key.networks) == (("smollm2",), (), ("10.0.0.0/8",))
    assert key.limits == KeyLimits(None, None, 3)
    assert key.expires_at == datetime(2030, 1, 1, tzinfo=UTC)
    assert (key.store, key.retention_days, key.revoked_at) == ("none", None, None)


async def test_a_prefix_alone_opens_nothing(database: Database, secret: Secret, pepper: bytes) -> None:
    guess = Secret(core_keys.prefix(secret) + core_keys.issue().reveal()[16:])
    assert await keys.find(database, guess, pepper) is None
    assert await keys.find(database, secret, b"another pepper") is None


async def test_sql_in_a_key_is_text(database: Database, secret: Secret, pepper: bytes) -> None:
    assert await keys.find(database, Secret("' OR 1=1 --"), pepper) is None


async def test_a_use_is_noted(database: Database, secret: Secret, pepper: bytes) -> None:
    await keys.find(database, secret, pepper)
    row = await database.row("SELECT last_used_at FROM keys WHERE prefix = $1", core_keys.prefix(secret))
    assert row is not None
    assert row[0] is not None


async def test_the_secret_is_not_in_the_table(database: Database, secret: Secret, pepper: bytes) -> None:
    rows = await database.rows("SELECT keys::text FROM keys")
    assert all(secret.reveal()[16:] not in row[0] for row in rows)
