"""Postgres: one bounded pool a process, and a deadline on every call.

A pool opens no connection before the first statement, so a process starts while Postgres is away, and says so.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from inferno_core.errors import Unavailable

CONNECT_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_S = 5.0

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)
"""What asyncpg raises when the server can't be reached, is shutting down or full, or doesn't answer in time."""


class Database:
    """A pool of connections to one database. The root opens it and closes it.

    Every method raises `Unavailable` when the server can't be reached, or has no connection or answer in time.
    """

    def __init__(self, dsn: str, size: int = 4) -> None:
        self._dsn = dsn
        self._size = size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Make the pool; nothing is connected yet."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=self._size,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
        )

    async def close(self) -> None:
        """Close every connection, those that don't end in time by force. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            pool.terminate()

    async def row(self, statement: str, *values: object) -> asyncpg.Record | None:
        """Run one statement with bound `values` and give its first row, if it has one."""
        async with self._connection() as connection:
            return await connection.fetchrow(statement, *values)

    async def rows(self, statement: str, *values: object) -> Sequence[asyncpg.Record]:
        """Run one statement with bound `values` and give its rows."""
        async with self._connection() as connection:
            return await connection.fetch(statement, *values)

    async def execute(self, statement: str, *values: object) -> None:
        """Run one statement with bound `values` for its effect."""
        async with self._connection() as connection:
            await connection.execute(statement, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"]:
        """Give a connection inside a transaction: all of it happens, or nothing."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator["asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"]:
        assert self._pool is not None, "the root opens the database before anyone uses it"
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
                yield connection
        except _AWAY as error:
            raise Unavailable(
                f"The database did not answer ({type(error).__name__}). Try again shortly.", retry_after_s=2
            ) from error


@asynccontextmanager
async def opened(dsn: str, size: int = 1) -> AsyncGenerator[Database]:
    """Open a database for as long as the block runs."""
    database = Database(dsn, size)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def probe(dsn: str, timeout_s: float = 2.0) -> str | None:
    """Ask the server at `dsn` for a row: None if it gives one, else a sentence that says why not."""
    try:
        async with asyncio.timeout(timeout_s):
            connection = await asyncpg.connect(dsn, timeout=timeout_s)
            try:
                await connection.execute("SELECT 1")
            finally:
                await connection.close(timeout=timeout_s)
    except (*_AWAY, asyncpg.PostgresError) as error:
        return f"Postgres does not answer: {type(error).__name__}."
    return None
