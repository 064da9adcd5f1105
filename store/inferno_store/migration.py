"""Bring a database's tables to what this release expects.

Steps are plain SQL under Alembic, in `migrations/<database>/versions`. All of them run in one transaction under an
advisory lock, so processes that start together wait for each other, and a step that fails leaves nothing behind.
"""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from inferno_store.postgres import CONNECT_TIMEOUT_S

_FOLDER = Path(__file__).parent / "migrations"


async def migrate(dsn: str, database: str = "users", timeout_s: float = 60.0) -> None:
    """Run the steps that the database at `dsn` lacks; none, if it is up to date. Raises `TimeoutError`."""

    async def connect() -> Any:
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with asyncio.timeout(timeout_s), engine.begin() as connection:
            await connection.run_sync(_upgrade, database)
    finally:
        await engine.dispose()


def head(database: str = "users") -> str:
    """Name the newest step of `database`, to which `migrate` brings it."""
    revision = ScriptDirectory.from_config(_config(database)).get_current_head()
    assert revision is not None, f"migrations/{database} has no steps"
    return revision


def _upgrade(connection: Connection, database: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('inferno migrations'))"))
    config = _config(database)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(database: str) -> Config:
    config = Config()
    # Alembic's configuration interpolates, so a folder with a percent sign needs it twice.
    config.set_main_option("script_location", str(_FOLDER / database).replace("%", "%%"))
    return config
