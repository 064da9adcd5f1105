"""Rule 5, which frames count: the one state machine that readers, takers-over and the ledger share.

Fed with a generation's heads and frames in the order of its reply partition, it gives the same text to everyone,
whatever records of former owners stand between.
"""

from typing import NamedTuple

from inferno_core.records import Final, Frame, Head, ReplyRecord


class Accepted(NamedTuple):
    """A frame that counts. `token_index` is the ordinal, from 0, of its last token among all accepted tokens of the
    generation, all choices together; -1 where the frame has none.
    """

    frame: Frame
    token_index: int


class Acceptance:
    """What counted so far of one generation.

    `epoch` is the highest seen; `next` the next token's index in each choice that was begun; `finishes` why each ended
    choice did; `total` the number of accepted tokens; `final` the end, once there is one; `alarms` counts frames of the
    current epoch that did not fit, which the protocol makes impossible.
    """

    __slots__ = ("alarms", "epoch", "final", "finishes", "next", "total")

    def __init__(self) -> None:
        self.epoch = -1
        self.next: dict[int, int] = {}
        self.finishes: dict[int, str] = {}
        self.total = 0
        self.final: Final | None = None
        self.alarms = 0

    def head(self, head: Head) -> bool:
        """Read a head; say whether its writer is now the one who speaks."""
        return self.final is None and self._is_current(head.epoch)

    def frame(self, frame: Frame) -> Accepted | None:
        """Read a frame; give it with its place if it counts, else None. A frame counts as a whole or not at all."""
        if self.final is not None or not self._is_current(frame.epoch):
            return None
        if frame.choice >= 0 and not self._fits(frame):
            self.alarms += 1
            return None
        self._keep(frame)
        return Accepted(frame, self.total - 1 if frame.tokens else -1)

    def read(self, record: ReplyRecord) -> Accepted | None:
        """Read a head or a frame."""
        if isinstance(record, Frame):
            return self.frame(record)
        self.head(record)
        return None

    def _is_current(self, epoch: int) -> bool:
        """A higher epoch makes itself the current one; a lower one is void."""
        self.epoch = max(self.epoch, epoch)
        return epoch == self.epoch

    def _fits(self, frame: Frame) -> bool:
        return frame.index == self.next.get(frame.choice, 0) and frame.choice not in self.finishes

    def _keep(self, frame: Frame) -> None:
        if frame.choice >= 0:
            self.next[frame.choice] = frame.index + len(frame.tokens)
            self.total += len(frame.tokens)
            if frame.finish is not None:
                self.finishes[frame.choice] = frame.finish
        self.final = frame.final


class History(Acceptance):
    """An acceptance that keeps the frames: what a taker-over goes on from, boundaries included."""

    __slots__ = ("frames",)

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    def _keep(self, frame: Frame) -> None:
        super()._keep(frame)
        self.frames.append(frame)
