"""An endless row of choices that follows from a key: the same on every machine, in every run."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")
_BLOCK = 64


class Draws:
    """Draws one thing after another."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._blocks = 0
        self._bytes = b""

    def below(self, bound: int) -> int:
        """Draw an integer from 0 to `bound` - 1."""
        return self._take() % bound

    def pick(self, options: Sequence[_T]) -> _T:
        """Draw one of `options`."""
        return options[self.below(len(options))]

    def fraction(self) -> float:
        """Draw a number from 0 to 1, 1 excluded."""
        return (self._take() >> 11) / (1 << 53)

    def hexadecimal(self, digits: int) -> str:
        """Draw `digits` hexadecimal digits."""
        return "".join(self.pick("0123456789abcdef") for _ in range(digits))

    def _take(self) -> int:
        if not self._bytes:
            counter = self._blocks.to_bytes(8, "big")
            self._bytes = hashlib.blake2b(counter, key=self._key[:64], digest_size=_BLOCK).digest()
            self._blocks += 1
        taken, self._bytes = self._bytes[:8], self._bytes[8:]
        return int.from_bytes(taken, "big")
