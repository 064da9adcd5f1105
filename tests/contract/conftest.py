"""The platform as programs see it that were written for OpenAI: with an invented model, and with a real one."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import openai
import pytest

from inferno_core import keys
from inferno_store import keys as stored
from inferno_store.postgres import opened
from tests.conftest import Stack


class Platform(NamedTuple):
    """Where it is, its key, and the model that answers."""

    stack: Stack
    base_url: str
    key: str
    model: str

    def client(self, **options: Any) -> openai.AsyncOpenAI:
        """OpenAI's own client, with nothing changed but its base URL and key."""
        return openai.AsyncOpenAI(**{"base_url": self.base_url, "api_key": self.key, "max_retries": 0} | options)


def platform_of(stack: Stack, model: str) -> Platform:
    credentials = stack.credentials
    return Platform(stack, f"{credentials['url']}/v1", credentials["api_key"], model)


@pytest.fixture(scope="session", params=["synthetic", pytest.param("smollm2", marks=pytest.mark.real)])
def platform(request: pytest.FixtureRequest) -> Platform:
    """Both kinds of stacks."""
    stack = request.getfixturevalue("real_stack" if request.param == "smollm2" else "stack")
    return platform_of(stack, request.param)


@pytest.fixture
async def client(platform: Platform) -> AsyncGenerator[openai.AsyncOpenAI]:
    """OpenAI's client of either."""
    async with platform.client() as client:
        yield client


NARROW = {
    # One generation at a time, a word every fifth of a second, and one place to wait.
    "INFERNO_SYNTHETIC__STEP_MS": "200",
    "INFERNO_SYNTHETIC__SLOTS": "1",
    "INFERNO_SYNTHETIC__FAULTS": "true",
    "INFERNO_API__KEEPALIVE_S": "0.05",
    "INFERNO_API__MAX_WAITING": "2",
    "INFERNO_API__MAX_WAITING_PER_KEY": "1",
    "INFERNO_API__MAX_BODY_BYTES": "100000",
    "INFERNO_API__KEY_CACHE_S": "0",
    "INFERNO_DEADLINES__QUEUE_S": "4",
}


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that refuses soon, and fails where it is asked to."""
    stack = Stack(tmp_path_factory.mktemp("narrow"), **NARROW).up("--engine", "synthetic")
    yield platform_of(stack, "synthetic")
    stack.down()


@pytest.fixture
async def make_key(narrow: Platform) -> AsyncGenerator[Callable[..., Any]]:
    """Make keys that may do less than all."""
    secrets = json.loads((narrow.stack.home / "secrets.json").read_text())
    there = narrow.stack.status["endpoints"]["postgres"]
    dsn = there.replace("users@", f"users:{quote(secrets['users_password'])}@")
    async with opened(dsn) as database:

        async def make(**limits: Any) -> str:
            secret = keys.issue()
            row = await database.row("SELECT id FROM projects LIMIT 1")
            assert row is not None
            pepper = secrets["key_pepper"].encode()
            await stored.add(database, project=str(row["id"]), name="narrow", secret=secret, pepper=pepper)
            for column, value in limits.items():
                statement = f"UPDATE keys SET {column} = $1 WHERE prefix = $2"
                await database.execute(statement, value, keys.prefix(secret))
            return secret.reveal()

        yield make
