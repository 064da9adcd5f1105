"""The protocol with one rule switched off. The explorer must find each of them out."""

from inferno_core.acceptance import Acceptance, History
from inferno_core.effects import Committed, Scan
from inferno_core.model_check.scenario import Rules
from inferno_core.ownership import Life, Partition, Phase


class NoEpochs(Partition):
    """Rule 2 off: no record is void, and a higher epoch stops no one."""

    def _is_void(self, epoch: int) -> bool:
        return False

    def _step_down(self, reason: str) -> None:
        pass


class NoReadBack(Partition):
    """Rule 3 off: speak as soon as the claim is sent."""

    def take(self, id: str, *, host: str = "", incarnation: str = "", fingerprint: str = "") -> None:
        """Claim, and speak at once."""
        super().take(id, host=host, incarnation=incarnation, fingerprint=fingerprint)
        self._claimed(self._lives[id])


class NoRead(Partition):
    """Rule 4 off, the read: go on without looking at what was said."""

    def head_acked(self, id: str, offset: int) -> None:
        """Take the past for empty."""
        self.scanned(id, History())


class NoHead(Partition):
    """Rule 4 off, the head: read what was said without first shutting former owners out."""

    def _take_over(self, life: Life) -> None:
        life.phase = Phase.TAKING_OVER
        self._emit(Scan(life.request.id, 0, 0, 1_000_000))


class NoEpochInFrames(Acceptance):
    """Rule 5 off: a frame counts whoever sent it."""

    def _is_current(self, epoch: int) -> bool:
        return True


class NoEpochInHistory(History):
    """Rule 5 off, for a taker-over."""

    def _is_current(self, epoch: int) -> bool:
        return True


class CommitBeforeDone(Partition):
    """Rule 6 off: commit what was read."""

    @property
    def committable(self) -> Committed:
        """The read position."""
        return Committed(self._position, max((epoch for epoch in self._epochs if epoch < self._position), default=-1))


MUTANTS: dict[str, Rules] = {
    "rule 2": Rules(partition=NoEpochs),
    "rule 3": Rules(partition=NoReadBack),
    "rule 4, the read": Rules(partition=NoRead),
    "rule 4, the head": Rules(partition=NoHead),
    "rule 5, the epoch": Rules(acceptance=NoEpochInFrames, history=NoEpochInHistory),
    "rule 6, commit before done": Rules(partition=CommitBeforeDone),
}
