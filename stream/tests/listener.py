"""Who hears one generation in tests, and keeps receipts until told to settle them."""

from inferno_core.effects import EngineFrame
from inferno_core.errors import InfernoError
from inferno_core.records import Final
from inferno_stream.engine import Receipt


class Listener:
    """Hears one generation."""

    def __init__(self) -> None:
        self.frames: list[EngineFrame] = []
        self.receipts: list[Receipt] = []
        self.errors: list[InfernoError] = []

    def heard(self, frame: EngineFrame, receipt: Receipt) -> None:
        self.frames.append(frame)
        self.receipts.append(receipt)

    def failed(self, error: InfernoError) -> None:
        self.errors.append(error)

    @property
    def text(self) -> bytes:
        """All deltas."""
        return b"".join(frame.delta for frame in self.frames)

    @property
    def final(self) -> Final | None:
        """The end, once it was heard."""
        return self.frames[-1].final if self.frames else None

    def settle(self) -> None:
        """The log has all of it."""
        while self.receipts:
            self.receipts.pop(0).settle()
