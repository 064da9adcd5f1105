"""Which key is this? Checked in the database once, then believed for a while.

The memory is keyed by the digest of the whole secret, bounded, and asks once for any number of requests that wait for
the same key. Unknown keys have a memory of their own, so that guesses can't push out keys that are in use.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from inferno_core import keys
from inferno_core.errors import Unauthenticated
from inferno_core.keys import Key, Secret

Find = Callable[[Secret], Awaitable[Key | None]]

_MOST_KEYS = 10_000
_UNKNOWN_S = 5.0
"""How long an unknown key stays unknown, in seconds: one that was made just now works soon."""


class _Memory:
    """The last answers, each until its time is over; the oldest go first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, tuple[float, Key | None]] = OrderedDict()

    def get(self, digest: bytes, now: float) -> tuple[bool, Key | None]:
        """Say whether `digest` is remembered, and as what."""
        until, key = self._entries.get(digest, (0.0, None))
        return until > now, key

    def put(self, digest: bytes, key: Key | None, until: float) -> None:
        """Remember `key` until then."""
        self._entries[digest] = (until, key)
        self._entries.move_to_end(digest)
        if len(self._entries) > _MOST_KEYS:
            self._entries.popitem(last=False)


class Keyring:
    """Tells keys apart. `believed_s` is how long a known key is believed, in seconds; 0: never."""

    def __init__(
        self, find: Find, *, pepper: bytes, believed_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._find = find
        self._pepper = pepper
        self._believed_s = believed_s
        self._clock = clock
        self._known = _Memory()
        self._unknown = _Memory()
        self._asked: dict[bytes, asyncio.Task[Key | None]] = {}

    async def key(self, text: str) -> Key:
        """Give the key that a client sent as `text`.

        Raises:
            Unauthenticated: it is none of ours.
            Unavailable: the database can't tell just now.

        """
        secret = keys.parse(text)
        key = None if secret is None else await self._look_up(secret)
        if key is None:
            raise Unauthenticated("The API key is not known here. Check it, or make a new one.")
        return key

    async def _look_up(self, secret: Secret) -> Key | None:
        digest = keys.digest(secret, self._pepper)
        now = self._clock()
        for memory in (self._known, self._unknown):
            remembered, key = memory.get(digest, now)
            if remembered:
                return key
        return await self._ask(digest, secret)

    async def _ask(self, digest: bytes, secret: Secret) -> Key | None:
        """Ask the database, once for all who wait; who stops waiting takes the answer from nobody else."""
        task = self._asked.get(digest)
        if task is None:
            task = asyncio.create_task(self._fetch(digest, secret))
            self._asked[digest] = task
            task.add_done_callback(lambda _: self._asked.pop(digest, None))
        return await asyncio.shield(task)

    async def _fetch(self, digest: bytes, secret: Secret) -> Key | None:
        key = await self._find(secret)
        if key is None:
            self._unknown.put(digest, None, self._clock() + min(_UNKNOWN_S, self._believed_s))
        else:
            self._known.put(digest, key, self._clock() + self._believed_s)
        return key
