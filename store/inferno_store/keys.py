"""API keys in Postgres: all SQL of keys. A key is found by its prefix and proved by its keyed digest."""

from contextlib import suppress

import asyncpg

from inferno_core import keys
from inferno_core.errors import Unavailable
from inferno_core.keys import Key, KeyLimits, Secret
from inferno_core.records import Tenant
from inferno_store.postgres import Database

_FIND = """
    SELECT k.id, k.prefix, k.models, k.endpoints, k.networks::text[] AS networks, k.expires_at, k.revoked_at,
           k.requests_per_minute, k.tokens_per_minute, k.concurrent,
           p.id AS project_id, p.organisation_id, p.store, p.retention_days
    FROM keys k JOIN projects p ON p.id = k.project_id
    WHERE k.prefix = $1 AND k.digest = $2
"""

_TOUCH = """
    UPDATE keys SET last_used_at = now()
    WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""

_ADD = """
    INSERT INTO keys (project_id, name, prefix, digest) VALUES ($1, $2, $3, $4)
    ON CONFLICT (digest) DO NOTHING
"""


async def find(database: Database, secret: Secret, pepper: bytes) -> Key | None:
    """Look up the key that `secret` is, expired and revoked ones too, and note its use to the minute. None: no key."""
    row = await database.row(_FIND, keys.prefix(secret), keys.digest(secret, pepper))
    if row is None:
        return None
    with suppress(Unavailable):  # A use that isn't noted is no reason to refuse it.
        await database.execute(_TOUCH, row["id"])
    return _key(row)


async def add(database: Database, *, project: str, name: str, secret: Secret, pepper: bytes) -> None:
    """Keep the digest of a new key of `project` (its UUID), without limits; one that is known stays as it is."""
    await database.execute(_ADD, project, name, keys.prefix(secret), keys.digest(secret, pepper))


def _key(row: asyncpg.Record) -> Key:
    return Key(
        tenant=Tenant(str(row["organisation_id"]), str(row["project_id"]), str(row["id"])),
        prefix=row["prefix"],
        models=_listed(row["models"]),
        endpoints=_listed(row["endpoints"]),
        networks=_listed(row["networks"]),
        limits=KeyLimits(row["requests_per_minute"], row["tokens_per_minute"], row["concurrent"]),
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        store=row["store"],
        retention_days=row["retention_days"],
    )


def _listed(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
