import pytest
from redis.asyncio import Redis

from inferno_core.errors import Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState
from inferno_store import hosts, redis

MODEL = HostedModel(name="smollm2", version="1", state=ModelState.READY, since=1.5, context=8192, default=True)


def host(name: str) -> Host:
    return Host(name=name, grpc="127.0.0.1:1", http="127.0.0.1:2", incarnation="i", models=(MODEL,))


async def test_published_hosts_are_read_by_name(valkey: Redis) -> None:
    for name in ("triton-1", "triton-0"):
        await hosts.publish(valkey, host(name))
    assert await hosts.read(valkey) == [host("triton-0"), host("triton-1")]


async def test_nothing_published_is_nothing_read(valkey: Redis) -> None:
    assert await hosts.read(valkey) == []


async def test_presence_ends_by_itself(valkey: Redis) -> None:
    for name in ("a", "b"):
        await hosts.publish(valkey, host(name))
    assert 0 < await valkey.ttl("inferno:host:a") <= hosts.TTL_S
    await valkey.delete("inferno:host:a")
    assert await hosts.read(valkey) == [host("b")]
    assert await valkey.smembers("inferno:hosts") == {b"b"}


async def test_what_is_no_host_is_left_out(valkey: Redis) -> None:
    await hosts.publish(valkey, host("a"))
    await valkey.set("inferno:host:a", b'{"name": 1}')
    assert await hosts.read(valkey) == []


async def test_redis_away_is_said() -> None:
    client = redis.connect("redis://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await hosts.read(client)
    with pytest.raises(Unavailable):
        await hosts.publish(client, host("a"))
    await client.aclose()
