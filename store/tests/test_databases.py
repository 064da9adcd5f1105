import asyncio

import asyncpg
import pytest

from inferno_store import databases, postgres


async def test_ensure_can_be_repeated_and_run_at_once(admin_dsn: str) -> None:
    made = await asyncio.gather(*(databases.ensure(admin_dsn, database="twice", password="p") for _ in range(4)))
    assert len(set(made)) == 1
    assert await postgres.probe(made[0]) is None


async def test_the_role_owns_its_database_alone(admin_dsn: str) -> None:
    await databases.ensure(admin_dsn, database="mine", password="p")
    other = await databases.ensure(admin_dsn, database="other", password="p")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(other.replace("/other?", "/mine?"))
    async with postgres.opened(other) as database:
        row = await database.row("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user")
    assert row is not None
    assert tuple(row) == (False, False)


@pytest.mark.parametrize("name", ["Users", "a-b", "x; DROP DATABASE users", "", "1a"])
async def test_a_name_outside_the_grammar_is_refused(admin_dsn: str, name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        await databases.ensure(admin_dsn, database=name, password="p", role="x")
