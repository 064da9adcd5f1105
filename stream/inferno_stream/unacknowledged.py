"""What was read of a session and is not all in the log: so it is known what the host need not keep (rule 8)."""

from collections import deque
from collections.abc import Callable

from inferno_stream.engine import Receipt

_OVERHEAD_BYTES = 128
"""What the host counts for a message besides its bytes."""


class _Kept:
    """A message that the host keeps for us."""

    __slots__ = ("number", "receipt", "size_bytes")

    def __init__(self, number: int, size_bytes: int, receipt: Receipt) -> None:
        self.number = number
        self.size_bytes = size_bytes
        self.receipt = receipt


class Unacknowledged:
    """The messages of one session in their order.

    `seen` is the number of the last one read, `settled` that of the last one up to which all frames are settled, and
    `size_bytes` what lies between what was acknowledged and the former. `on_settled` is called when `settled` grows.
    """

    def __init__(self, on_settled: Callable[[], None]) -> None:
        self.seen = 0
        self.settled: int = 0
        self.acknowledged: int = 0
        self.size_bytes = 0
        self.settled_bytes = 0
        self._on_settled = on_settled
        self._kept: deque[_Kept] = deque()

    def begin(self, seen: int) -> None:
        """Start over: the host counts on from `seen`. What was kept before is nobody's any more."""
        self.seen = seen
        self.settled = seen
        self.acknowledged = seen
        self.size_bytes = self.settled_bytes = 0
        self._kept = deque()

    def read(self, number: int, size_bytes: int, now: float) -> Receipt:
        """Take the next message. Whoever reads it settles the receipt once when all its frames were given on."""
        receipt = Receipt(now, self._settle)
        self.seen = number
        self.size_bytes += size_bytes + _OVERHEAD_BYTES
        self._kept.append(_Kept(number, size_bytes + _OVERHEAD_BYTES, receipt))
        return receipt

    def acknowledge(self) -> int | None:
        """Give the number to acknowledge now, if there is anything new."""
        if self.settled == self.acknowledged:
            return None
        self.acknowledged = self.settled
        self.size_bytes -= self.settled_bytes
        self.settled_bytes = 0
        return self.settled

    def _settle(self) -> None:
        kept = self._kept
        if not kept or kept[0].receipt.left:
            return
        while kept and not kept[0].receipt.left:
            first = kept.popleft()
            self.settled = first.number
            self.settled_bytes += first.size_bytes
        self._on_settled()
