"""The owner of a request partition: who may speak for a request, when, and when its place may be forgotten.

`Partition` is one worker's view of one request partition p under one epoch. It is fed with what happens (records of p
in their order, acknowledgements, frames of the engine) and answers with effects, which its shell carries out in order:
no I/O, no clock, no choice of its own. The rules are those of docs/token-log.md, and the explorer in `model_check`
drives this very module through interleavings of pauses, deaths and late appends.

A request's life, as its owner sees it:

    WAITING ──take──▶ CLAIMED ──own claim read back──▶ SPEAKING ──final frame──▶ ENDED ──acknowledged──▶ CLOSED
                         │                                ▲                                              │
                         └─ claimed before, or again ─▶ TAKING_OVER ──final frame found──────────────────┘
                            (head, then scan up to it)                             (a valid done, read back: forgotten)

A speaker whose engine is lost moves on to another one by taking over from itself.
"""

from collections.abc import Iterable
from enum import Enum, auto

from inferno_core import address
from inferno_core.acceptance import History
from inferno_core.effects import (
    AppendQueue,
    AppendReply,
    Committed,
    Effect,
    EngineFrame,
    Linger,
    ReadFrom,
    Resume,
    Scan,
    Start,
    StepDown,
    Stop,
)
from inferno_core.records import (
    Attach,
    Cancel,
    Claim,
    Detach,
    Done,
    Epoch,
    Final,
    Frame,
    Head,
    Outcome,
    QueueRecord,
    ReplyRecord,
    Request,
    final_frame,
)


class Phase(Enum):
    """Where a request's life stands."""

    WAITING = auto()
    CLAIMED = auto()
    TAKING_OVER = auto()
    SPEAKING = auto()
    ENDED = auto()
    CLOSED = auto()


class Life:
    """An unfinished request, as its owner knows it.

    `place` is its address, `offset` where it stands in p; `again` says that it may have been finished or begun before,
    unknown to this owner; `claim` is the last valid claim of another epoch in p; `heads` how many of its heads are not
    acknowledged yet; `end` is an end that was decided before it could be told.
    """

    __slots__ = (
        "again",
        "claim",
        "end",
        "fingerprint",
        "heads",
        "held",
        "next",
        "offset",
        "outcome",
        "phase",
        "place",
        "readers",
        "request",
    )

    def __init__(self, request: Request, offset: int, *, again: bool) -> None:
        self.request = request
        self.place = address.locate(request.id)
        self.offset = offset
        self.again = again
        self.claim: Claim | None = None
        self.phase = Phase.WAITING
        self.readers = {request.reader}
        self.fingerprint = ""
        self.heads = 0
        self.held: list[EngineFrame] = []
        self.next: dict[int, int] = {}
        self.end: Final | None = None
        self.outcome: Outcome | None = None

    @property
    def fresh(self) -> bool:
        """Nobody can have spoken for it: it may be started before its claim is read back, and begins at 0."""
        return not self.again and self.claim is None


MEMORY = 100_000
"""How many finished ids an owner remembers. A request that may be older than this memory counts as `again`."""


class Partition:
    """One worker's ownership of one request partition, from one epoch record to the next higher one."""

    def __init__(self, worker: str, nonce: str) -> None:
        self.worker = worker
        self.nonce = nonce
        self.epoch = -1
        self.stopped = False
        self._live = False
        self._position = 0
        self._epochs: list[int] = []
        self._lives: dict[str, Life] = {}
        self._finished: dict[str, int] = {}
        self._memory_from = 0
        self._effects: list[Effect] = []

    def drain(self) -> list[Effect]:
        """Give the effects since the last call, in the order in which they must be carried out."""
        effects, self._effects = self._effects, []
        return effects

    @property
    def live(self) -> bool:
        """Whether this owner has read p up to its own epoch record, and may act."""
        return self._live and not self.stopped

    @property
    def waiting(self) -> Iterable[Request]:
        """Requests that nobody has taken, in the order of p."""
        return (life.request for life in self._lives.values() if life.phase is Phase.WAITING)

    def claim_of(self, id: str) -> Claim | None:
        """Give the last valid claim of `id` by another owner: it names the engine that may still run it."""
        life = self._lives.get(id)
        return None if life is None else life.claim

    @property
    def committable(self) -> Committed:
        """Rule 6: the lowest request without a valid done, else the read position."""
        offset = min((life.offset for life in self._lives.values()), default=self._position)
        return Committed(offset, max((epoch for epoch in self._epochs if epoch < offset), default=-1))

    # Rule 2: an epoch of one's own, and all that stands before it, before anything else.

    def assigned(self) -> None:
        """The group gives p to this worker."""
        self._emit(AppendQueue(Epoch(self.worker, self.nonce)))

    def epoch_acked(self, offset: int, committed: Committed) -> None:
        """The epoch record stands at `offset`; `committed` was fetched after that."""
        self.epoch = offset
        if max(committed.epoch, committed.offset) > offset:
            self._step_down("a higher epoch stands before the committed offset")
            return
        self._epochs = [committed.epoch]
        self._position = self._memory_from = committed.offset
        self._emit(ReadFrom(committed.offset))

    def read(self, offset: int, record: QueueRecord) -> None:
        """Read the next record of p, one's own included."""
        if self.stopped:
            return
        match record:
            case Request():
                self._read_request(offset, record)
            case Epoch():
                self._read_epoch(offset)
            case Claim():
                self._read_claim(record)
            case Done():
                self._read_done(record)
            case Detach():
                self._read_detach(record)
            case Attach():
                if life := self._lives.get(record.id):
                    life.readers.add(record.reader)
            case Cancel():
                self.end(record.id, Final(Outcome.CANCELLED))
        self._position = offset + 1

    def _read_epoch(self, offset: int) -> None:
        self._epochs.append(offset)
        if offset > self.epoch:
            self._step_down(f"epoch {offset} stands in the partition, above {self.epoch}")
        elif offset == self.epoch:
            self._live = True
            for life in list(self._lives.values()):
                self._settle(life)

    def _is_void(self, epoch: int) -> bool:
        """In p, a worker's record is void if a higher epoch stands before it."""
        return epoch < self._epochs[-1]

    # Rule 3: claim, read back, then speak.

    def take(self, id: str, *, host: str = "", incarnation: str = "", fingerprint: str = "") -> None:
        """Claim a waiting request, since an engine has room for it; start it at once where nobody can have before.

        `host`, its `incarnation` and `fingerprint` tell of the engine that will run it.
        """
        life = self._lives[id]
        life.phase = Phase.CLAIMED
        life.fingerprint = fingerprint
        self._emit(AppendQueue(Claim(id, self.epoch, host, incarnation)))
        if life.fresh and life.end is None:
            self._emit(Start(life.request))

    def _read_request(self, offset: int, request: Request) -> None:
        if life := self._lives.get(request.id):
            life.readers.add(request.reader)
        elif request.id not in self._finished:
            forgotten = address.locate(request.id).known < self._memory_from
            self._lives[request.id] = Life(request, offset, again=request.again or forgotten)

    def _read_claim(self, claim: Claim) -> None:
        life = self._lives.get(claim.id)
        if life is None or self._is_void(claim.epoch):
            return
        if claim.epoch != self.epoch:
            life.claim = claim
        elif life.phase is Phase.CLAIMED:
            self._claimed(life)

    def _claimed(self, life: Life) -> None:
        """One's own claim was read back and is valid."""
        if life.fresh:
            self._say_head(life)
            self._speak(life)
        else:
            self._take_over(life)

    # Rule 4: begin or go on.

    def _take_over(self, life: Life) -> None:
        """Append a head, so that nothing that a former owner appends later counts, then read what counts before it."""
        life.phase = Phase.TAKING_OVER
        self._say_head(life)

    def move(self, id: str, *, host: str = "", incarnation: str = "", fingerprint: str = "") -> None:
        """The engine that ran `id` is lost, and another one has room: go on there after what was said.

        This is a takeover from oneself. The claim says where it runs now.
        """
        life = self._lives.get(id)
        if life is None or self.stopped or life.end is not None:
            return
        life.fingerprint = fingerprint
        if life.phase is Phase.SPEAKING:
            self._emit(AppendQueue(Claim(id, self.epoch, host, incarnation)))
            self._take_over(life)
        elif life.phase is Phase.CLAIMED and life.fresh:
            life.held.clear()
            self._emit(AppendQueue(Claim(id, self.epoch, host, incarnation)))
            self._emit(Start(life.request))

    def head_acked(self, id: str, offset: int) -> None:
        """A head for `id` stands at `offset` of its reply partition; what counts is read up to the last one."""
        life = self._lives.get(id)
        if life is None or self.stopped:
            return
        life.heads -= 1
        if life.phase is Phase.TAKING_OVER and not life.heads:
            self._emit(Scan(id, life.place.r, life.place.reply_from, offset))

    def scanned(self, id: str, history: History) -> None:
        """All that counts up to one's own head was read."""
        life = self._lives.get(id)
        if life is None or life.phase is not Phase.TAKING_OVER or self.stopped:
            return
        if history.epoch > self.epoch:
            self._step_down(f"epoch {history.epoch} speaks for {id}, above {self.epoch}")
        elif history.final is not None:
            self._close(life, history.final.outcome)
        else:
            life.next = dict(history.next)
            if life.end is None:
                self._emit(Resume(life.request, history))
            self._speak(life)

    def _say_head(self, life: Life) -> None:
        request = life.request
        head = Head(
            id=request.id,
            epoch=self.epoch,
            surface=request.surface,
            created=request.created_ms // 1000,
            n=request.n,
            include_usage=request.include_usage,
            tenant=request.tenant,
            price=request.price,
            model=request.model,
            version=request.version,
            fingerprint=life.fingerprint,
        )
        life.heads += 1
        self._append(life, head)

    def _speak(self, life: Life) -> None:
        """From here on, frames may be appended. Say what was held back."""
        life.phase = Phase.SPEAKING
        held, life.held = life.held, []
        for frame in held:
            self.frame(life.request.id, frame)
        if life.end is not None:
            self._finish(life, life.end)

    # The words.

    def frame(self, id: str, frame: EngineFrame) -> None:
        """Take a frame of the engine's run of `id`: append it, or hold it until the claim is read back."""
        life = self._lives.get(id)
        if life is None or self.stopped:
            return
        if life.phase is Phase.CLAIMED:
            life.held.append(frame)
        elif life.phase is Phase.SPEAKING:
            self._say(life, frame)

    def _say(self, life: Life, frame: EngineFrame) -> None:
        index = life.next.get(frame.choice, 0)
        if frame.choice >= 0:
            life.next[frame.choice] = index + len(frame.tokens)
        record = Frame(
            id=life.request.id,
            epoch=self.epoch,
            choice=frame.choice,
            index=index,
            tokens=frame.tokens,
            delta=frame.delta,
            finish=frame.finish,
            final=frame.final,
        )
        if frame.final is not None:
            life.phase = Phase.ENDED
            life.outcome = frame.final.outcome
        self._append(life, record)

    # Rules 6 and 7: exactly one final frame, then done, then the commit.

    def end(self, id: str, final: Final) -> None:
        """End `id` for a reason that is not the engine's: a deadline, a cancel, an engine that is gone.

        An end before the request may be spoken for is kept until then, and the first one stays.
        """
        life = self._lives.get(id)
        if life is None or self.stopped or life.phase in (Phase.ENDED, Phase.CLOSED):
            return
        life.end = life.end or final
        if self._live:
            self._settle(life)

    def _settle(self, life: Life) -> None:
        """Act on what was learnt of a life: a decided end, or that no one listens."""
        if life.end is None and not life.readers:
            self._abandoned(life)
        elif life.end is not None and life.phase is Phase.WAITING:
            self.take(life.request.id)
        elif life.end is not None:
            self._emit(Stop(life.request.id))
            if life.phase is Phase.SPEAKING:
                self._finish(life, life.end)

    def _finish(self, life: Life, final: Final) -> None:
        """Append the final frame, unless the held-back words already held one."""
        if life.phase is Phase.SPEAKING:
            life.phase = Phase.ENDED
            life.outcome = final.outcome
            self._append(life, final_frame(life.request.id, self.epoch, final))

    def final_acked(self, id: str) -> None:
        """The final frame of `id` stands in its reply partition."""
        life = self._lives.get(id)
        if life is not None and life.phase is Phase.ENDED and life.outcome is not None and not self.stopped:
            self._close(life, life.outcome)

    def _close(self, life: Life, outcome: Outcome) -> None:
        life.phase = Phase.CLOSED
        self._emit(AppendQueue(Done(life.request.id, self.epoch, outcome)))

    def _read_done(self, done: Done) -> None:
        if self._is_void(done.epoch) or done.id not in self._lives:
            return
        self._finished[done.id] = self._lives.pop(done.id).offset
        while len(self._finished) > MEMORY:
            offset = self._finished.pop(next(iter(self._finished)))
            self._memory_from = max(self._memory_from, offset + 1)

    # Rule 10: who still listens.

    def _read_detach(self, detach: Detach) -> None:
        life = self._lives.get(detach.id)
        if life is None:
            return
        life.readers.discard(detach.reader)
        if self._live:
            self._settle(life)

    def _abandoned(self, life: Life) -> None:
        if life.request.grace_s > 0:
            self._emit(Linger(life.request.id, life.request.grace_s))
        else:
            self.end(life.request.id, Final(Outcome.CANCELLED))

    def linger_over(self, id: str) -> None:
        """The grace of a request that no one listened to is over."""
        life = self._lives.get(id)
        if life is not None and not life.readers:
            self.end(id, Final(Outcome.CANCELLED))

    # Effects.

    def _append(self, life: Life, record: ReplyRecord) -> None:
        self._emit(AppendReply(life.place.r, record))

    def _step_down(self, reason: str) -> None:
        self.stopped = True
        self._emit(StepDown(reason))

    def _emit(self, effect: Effect) -> None:
        self._effects.append(effect)
