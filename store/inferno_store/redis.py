"""Redis: presence and hints, which may be lost at any moment. Every call has a deadline."""

from redis.asyncio import Redis as Redis  # For those who are handed a connection.
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from inferno_core.errors import InvalidRequest

TIMEOUT_S = 2.0

_SCHEMES = ("redis://", "rediss://", "unix://")


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Redis:
    """Make a client of the server at `url` (`redis://…` or `unix://…`); the first command opens its connection.

    Callers have their own rhythm of trying again, so the client itself retries once only: a connection that was idle
    while the server restarted is found dead by its next command. Raises `InvalidRequest` for what is no address.
    """
    if not url.startswith(_SCHEMES):
        known = ", ".join(_SCHEMES)
        raise InvalidRequest(f"INFERNO_REDIS__URL must begin with one of {known}; a stack sets it for its processes.")
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] -- redis-py leaves its keywords untyped
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=16,
        retry=Retry(NoBackoff(), 1),
    )


async def probe(url: str, timeout_s: float = TIMEOUT_S) -> str | None:
    """Ping the server at `url`: None if it answers, else a sentence that says why not."""
    client = connect(url, timeout_s)
    try:
        await client.ping()  # pyright: ignore[reportUnknownMemberType] -- redis-py leaves its keywords untyped
    except (RedisError, OSError) as error:
        return f"Redis does not answer: {type(error).__name__}."
    finally:
        await client.aclose()
    return None
