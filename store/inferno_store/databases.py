"""Databases and their roles: each database has one role of its own, which owns it and can enter no other."""

import asyncio
import re
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from inferno_store.postgres import CONNECT_TIMEOUT_S, STATEMENT_TIMEOUT_S

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


async def ensure(admin_dsn: str, *, password: str, database: str = "users", role: str | None = None) -> str:
    """Make `database` and its `role` (by default of the same name) where they are missing, and give the role's address.

    The role's password becomes `password`. `admin_dsn` is a superuser's, to any database of the server. Running it
    again, or twice at once, changes nothing.
    """
    role = role or database
    for name in (database, role):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a database or role: use a-z, 0-9 and _, at most 63.")
    async with asyncio.timeout(60):
        connection = await asyncpg.connect(admin_dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
        try:
            await connection.execute("SELECT pg_advisory_lock(hashtext('inferno databases'))")
            await _ensure_role(connection, role, password)
            await _ensure_database(connection, database, role)
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT_S)
    return _address(admin_dsn, database, role, password)


async def _ensure_role(connection: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if known else "CREATE"
    # Utility statements take no bound parameters: the server itself quotes the password, the name is checked above.
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {quoted}")


async def _ensure_database(connection: "asyncpg.Connection[asyncpg.Record]", database: str, role: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        await connection.execute(
            f"CREATE DATABASE {database} OWNER {role} TEMPLATE template0 ENCODING 'UTF8'", timeout=50
        )
    await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")


def _address(admin_dsn: str, database: str, role: str, password: str) -> str:
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{role}:{quote(password, safe='')}@{host}"
    return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))
