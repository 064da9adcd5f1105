"""Presence of engine hosts: each agent says every second what its host is and serves; who falls silent is gone.

inferno:hosts          set of names
inferno:host:<name>    `Host` as JSON, for ten seconds
"""

from typing import cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from inferno_core.errors import Unavailable
from inferno_core.hosts import Host

TTL_S = 10

_NAMES = "inferno:hosts"
_decoder = msgspec.json.Decoder(Host)


async def publish(redis: Redis, host: Host) -> None:
    """Say what `host` is and serves; it holds for ten seconds. Raises `Unavailable`."""
    async with redis.pipeline() as pipe:
        pipe.set(_key(host.name), msgspec.json.encode(host), ex=TTL_S)
        pipe.sadd(_NAMES, host.name)
        try:
            await pipe.execute()
        except (RedisError, OSError) as error:
            raise _unavailable(error) from error


async def read(redis: Redis) -> list[Host]:
    """Give the hosts that spoke in the last ten seconds, by name. Raises `Unavailable`.

    What is no `Host` (an agent of another release) is left out.
    """
    try:
        names = sorted(cast("set[bytes]", await redis.smembers(_NAMES)))
        values = await redis.mget([_key(name.decode()) for name in names]) if names else []
        gone = [name for name, value in zip(names, values, strict=True) if value is None]
        if gone:
            await redis.srem(_NAMES, *gone)
    except (RedisError, OSError) as error:
        raise _unavailable(error) from error
    return [host for value in values if value is not None and (host := _decode(value)) is not None]


def _key(name: str) -> str:
    return f"inferno:host:{name}"


def _decode(value: bytes | str) -> Host | None:
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError:
        return None


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"Redis did not answer ({type(error).__name__}). Try again shortly.")
