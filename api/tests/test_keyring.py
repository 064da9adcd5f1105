import asyncio

import pytest

from inferno_api import keyring
from inferno_api.keyring import Keyring
from inferno_core import keys
from inferno_core.errors import Unauthenticated, Unavailable
from inferno_core.keys import Key, Secret
from inferno_core.records import Tenant

KEY = Key(tenant=Tenant("o", "p", "k"), prefix="inf-x")


class Database:
    def __init__(self) -> None:
        self.known: dict[str, Key] = {}
        self.asked = 0
        self.away = False
        self.now = 0.0

    def keyring(self, believed_s: float = 30.0) -> Keyring:
        return Keyring(self._find, pepper=b"p" * 32, believed_s=believed_s, clock=lambda: self.now)

    def issue(self) -> str:
        text = keys.issue().reveal()
        self.known[text] = KEY
        return text

    async def _find(self, secret: Secret) -> Key | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("Away.")
        return self.known.get(secret.reveal())


@pytest.fixture
def database() -> Database:
    return Database()


async def test_a_known_key_is_asked_for_once_in_its_time(database: Database) -> None:
    ring, text = database.keyring(), database.issue()
    assert await ring.key(text) == await ring.key(text) == KEY
    assert database.asked == 1
    database.now = 30.0
    await ring.key(text)
    assert database.asked == 2


async def test_many_at_once_ask_once(database: Database) -> None:
    ring, text = database.keyring(), database.issue()
    assert await asyncio.gather(*(ring.key(text) for _ in range(50))) == [KEY] * 50
    assert database.asked == 1


async def test_one_who_gives_up_takes_the_answer_from_nobody(database: Database) -> None:
    ring, text = database.keyring(), database.issue()
    first, second = asyncio.ensure_future(ring.key(text)), asyncio.ensure_future(ring.key(text))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == KEY


async def test_an_unknown_key_is_unknown_for_a_moment(database: Database) -> None:
    ring, text = database.keyring(), keys.issue().reveal()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await ring.key(text)
    assert database.asked == 1
    database.known[text] = KEY
    database.now = 5.0
    assert await ring.key(text) == KEY


@pytest.mark.parametrize("text", ["", "inf-short", "sk-something", "inf-" + "0" * 51])
async def test_what_can_be_no_key_asks_nobody(database: Database, text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await database.keyring().key(text)
    assert database.asked == 0
    assert not text or text not in caught.value.message


async def test_a_revoked_key_ends_with_its_time_in_memory(database: Database) -> None:
    ring, text = database.keyring(), database.issue()
    await ring.key(text)
    database.known.clear()
    database.now = 30.0
    with pytest.raises(Unauthenticated):
        await ring.key(text)


async def test_the_database_away_is_no_verdict(database: Database) -> None:
    ring, text = database.keyring(), database.issue()
    database.away = True
    with pytest.raises(Unavailable):
        await ring.key(text)
    database.away = False
    assert await ring.key(text) == KEY


async def test_guesses_push_out_no_key_that_is_in_use(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "_MOST_KEYS", 4)
    ring, text = database.keyring(), database.issue()
    await ring.key(text)
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await ring.key(keys.issue().reveal())
    asked = database.asked
    await ring.key(text)
    assert database.asked == asked
