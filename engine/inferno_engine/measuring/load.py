"""What an engine is asked for when it is measured, and what came of it."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from inferno_core.errors import EngineFailed

_TOPICS = (
    "a lighthouse",
    "a river",
    "two clocks",
    "the first train",
    "a lost letter",
    "the old mill",
    "snow",
    "a violin",
)


class Load(Struct, frozen=True):
    """So many generations at once, of so many tokens each. `round` makes its prompts unlike those of any other."""

    streams: int
    tokens: int
    round: int = 0

    def bodies(self) -> Sequence[dict[str, Any]]:
        """Give the chat bodies, without a model's name."""
        return [self._body(reader) for reader in range(self.streams)]

    def _body(self, reader: int) -> dict[str, Any]:
        topic = _TOPICS[reader % len(_TOPICS)]
        # The number stands first, so that no prompt finds another's prefix in a cache.
        content = f"{self.round}.{reader} Tell a long story about {topic}, for a reader who likes details."
        return {
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.tokens,
            "ignore_eos": True,
            "temperature": 0,
        }


class Measured(Struct, frozen=True):
    """How long a load took, from the first submission to the last end."""

    load: Load
    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds

    def checked(self) -> "Measured":
        """Give itself. Raises EngineFailed if tokens are missing: a rate would say nothing."""
        wanted = self.load.streams * self.load.tokens
        if self.tokens != wanted:
            raise EngineFailed(f"{self.tokens} of {wanted} tokens came at {self.load.streams} streams.")
        return self


class Driver(Protocol):
    """Puts load on one engine."""

    async def run(self, load: Load) -> Measured:
        """Have `load` generated, all of it. Raises InfernoError."""
        ...
