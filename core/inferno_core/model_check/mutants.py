"""The protocol with one rule switched off. The explorer must find each of them out."""

from msgspec import Struct

from inferno_core.acceptance import Acceptance, History
from inferno_core.effects import Committed, Effect, ReadFrom, Scan, Stop
from inferno_core.model_check.scenario import Rules, Scenario
from inferno_core.model_check.scenarios import CANCELLED, ENGINE_LOST, FORGOTTEN, HUNG_UP, OVERTAKEN, TAKEOVER
from inferno_core.model_check.search import Result, exhaust, wander
from inferno_core.model_check.world import Model
from inferno_core.ownership import Life, Partition, Phase
from inferno_core.records import Attach, Cancel, Detach, QueueRecord, Request


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


class NoLastHead(Partition):
    """Rule 4 off for one who takes over from itself: read up to any head of one's own."""

    def head_acked(self, id: str, offset: int) -> None:
        """Take every head for the last one."""
        if life := self._lives.get(id):
            life.heads = 1
        super().head_acked(id, offset)


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


class NoLateCommit(Partition):
    """Rule 2 off, its last sentence: begin at a committed place, wherever it is."""

    def epoch_acked(self, offset: int, committed: Committed) -> None:
        """Take the place for one that stands before the own epoch."""
        self.epoch = offset
        self._epochs = [committed.epoch]
        self._position = self._memory_from = committed.offset
        self._emit(ReadFrom(committed.offset))


class NoAgain(Partition):
    """Rule 3 off, its second half: a request that nobody remembers is a new one."""

    def _read_request(self, offset: int, request: Request) -> None:
        if request.id not in self._lives and request.id not in self._finished:
            self._lives[request.id] = Life(request, offset, again=False)


class NoStop(Partition):
    """Rule 10 off: the engine is not told."""

    def drain(self) -> list[Effect]:
        """Leave out what stops an engine."""
        return [effect for effect in super().drain() if not isinstance(effect, Stop)]


class NoDetach(Partition):
    """Rule 10 off: nobody notices that no one listens."""

    def _read_detach(self, detach: Detach) -> None:
        pass


class NoCancel(Partition):
    """Rule 11 off: a cancel is not heard."""

    def read(self, offset: int, record: QueueRecord) -> None:
        """Read a cancel as a reader's arrival."""
        super().read(offset, Attach(record.id, "nobody") if isinstance(record, Cancel) else record)


class Mutant(Struct, frozen=True):
    """Rules with one switched off, and where that shows: by visiting every state, or by walks.

    Every `quiet_every`th state comes to rest; rest is what shows a system that got stuck.
    """

    rules: Rules
    scenario: Scenario
    walks: bool = False
    quiet_every: int = 20

    def search(self, *, states: int, walks: int) -> Result:
        """Look for a counterexample."""
        model = Model(self.scenario, self.rules)
        return wander(model, walks) if self.walks else exhaust(model, most=states, quiet_every=self.quiet_every)


MUTANTS: dict[str, Mutant] = {
    "rule 2": Mutant(Rules(partition=NoEpochs), TAKEOVER),
    "rule 2, a commit beyond the own epoch": Mutant(Rules(partition=NoLateCommit), OVERTAKEN, quiet_every=1),
    "rule 3": Mutant(Rules(partition=NoReadBack), TAKEOVER),
    "rule 3, again": Mutant(Rules(partition=NoAgain), FORGOTTEN),
    "rule 4, the read": Mutant(Rules(partition=NoRead), TAKEOVER),
    "rule 4, the head": Mutant(Rules(partition=NoHead), TAKEOVER),
    "rule 4, the last head": Mutant(Rules(partition=NoLastHead), ENGINE_LOST),
    "rule 5, the epoch": Mutant(Rules(acceptance=NoEpochInFrames, history=NoEpochInHistory), TAKEOVER),
    "rule 6, commit before done": Mutant(Rules(partition=CommitBeforeDone), TAKEOVER),
    "rule 10, the stop": Mutant(Rules(partition=NoStop), HUNG_UP, walks=True),
    "rule 10, the detach": Mutant(Rules(partition=NoDetach), HUNG_UP, walks=True),
    "rule 11, the cancel": Mutant(Rules(partition=NoCancel), CANCELLED, walks=True),
}
