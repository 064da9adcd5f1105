import pytest

from inferno_core.errors import InvalidRequest
from inferno_store import redis


async def test_probe_pings(redis_url: str) -> None:
    assert await redis.probe(redis_url) is None


async def test_probe_says_why_without_the_secret() -> None:
    sentence = await redis.probe("redis://:secret-word@127.0.0.1:1")
    assert sentence is not None
    assert "secret-word" not in sentence


def test_what_is_no_address_is_refused_by_its_settings_name() -> None:
    with pytest.raises(InvalidRequest, match="INFERNO_REDIS__URL must begin with one of redis://"):
        redis.connect("")
