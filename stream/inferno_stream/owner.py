"""The shell around the owner's state machine: it feeds `ownership.Partition` and carries out what that decides."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from inferno_core import codec
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
from inferno_core.ownership import Partition
from inferno_core.records import (
    Done,
    Epoch,
    Failure,
    Final,
    Head,
    Outcome,
    QueueRecord,
    ReplyRecord,
    Request,
)
from inferno_stream.engine import Claimed, Engine, Order, Place
from inferno_stream.metrics import Metrics
from inferno_stream.producer import OnAck
from inferno_stream.runs import Run
from inferno_stream.scan import Search
from inferno_stream.spans import Journey
from inferno_stream.tracing import Tracer

_PATIENCE_S = 3.0
"""For how long a taker-over waits for the host that may still run a generation, before it goes elsewhere."""


class Ground(Protocol):
    """What an owner stands on: its worker's ways to the log."""

    @property
    def engine(self) -> Engine:
        """Where requests are run."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        ...

    @property
    def tracer(self) -> Tracer:
        """Where spans go."""
        ...

    @property
    def topic(self) -> str:
        """The request queue's topic."""
        ...

    @property
    def queue(self) -> str:
        """Names the request queue, among those of all logs whose workers share engines."""
        ...

    def append_queue(self, p: int, record: QueueRecord, on_ack: OnAck | None) -> None:
        """Append to request partition `p`."""
        ...

    def append_reply(self, r: int, record: ReplyRecord, on_ack: OnAck | None) -> None:
        """Append to reply partition `r`."""
        ...

    def read_from(self, p: int, offset: int) -> None:
        """Feed the owner of `p` with its records from `offset` on."""
        ...

    def search(self, r: int, search: Search) -> None:
        """Read reply partition `r` again."""
        ...

    def fetch_committed(self, owner: "Owner", epoch: int) -> None:
        """Answer with `owner.begin`."""
        ...

    def changed(self) -> None:
        """Something waits, or there is room."""
        ...

    def step_down(self, owner: "Owner", reason: str) -> None:
        """End `owner`; a new one follows if p is still assigned."""
        ...


class Owner:
    """Owns request partition `p` for one epoch. Created by an assignment, closed by a revocation or a higher epoch."""

    def __init__(self, p: int, worker: str, ground: Ground) -> None:
        self.p = p
        self._ground = ground
        self._name = f"{ground.queue}/{p}"
        self._partition = Partition(worker, secrets.token_hex(8))
        self._patient_until = 0.0
        self._runs: dict[str, Run] = {}
        self._homeless: dict[str, Run] = {}
        self._lingering: dict[str, asyncio.TimerHandle] = {}
        self._closed = False
        self._carrying_out = False

    @property
    def running(self) -> int:
        """How many requests are at an engine, or wait for another one."""
        return sum(not run.ended for run in self._runs.values())

    @property
    def homeless(self) -> Sequence[Run]:
        """Runs whose engine was lost, and that wait for another place."""
        return list(self._homeless.values())

    @property
    def committable(self) -> Committed | None:
        """What may be committed now."""
        return self._partition.committable if self._partition.live else None

    def waiting(self) -> Iterator[Request]:
        """Requests that nobody has taken, in order; none before p was read up to this owner's epoch."""
        return iter(self._partition.waiting if self._partition.live else ())

    def assigned(self) -> None:
        """Begin, with an epoch of one's own."""
        self._feed(self._partition.assigned)

    def begin(self, epoch: int, committed: Committed) -> None:
        """Read p from the committed place, now that the epoch record stands; engines' hosts are told of it first."""
        self._patient_until = asyncio.get_running_loop().time() + _PATIENCE_S
        self._ground.engine.fence(self._name, epoch)
        self._feed(self._partition.epoch_acked, epoch, committed)

    def read(self, records: Sequence[tuple[int, QueueRecord]]) -> None:
        """Read the next records of p."""
        if self._closed:
            return
        for offset, record in records:
            self._partition.read(offset, record)
        self._carry_out()
        self._ground.changed()

    def claimed(self, request: Request) -> Claimed | None:
        """Say where a former owner had a waiting request run, as long as that is worth waiting for."""
        claim = self._partition.claim_of(request.id)
        if claim is None or not claim.host or asyncio.get_running_loop().time() > self._patient_until:
            return None
        return Claimed(self._name, claim.host, claim.incarnation)

    def take(self, request: Request, place: Place) -> None:
        """Claim `request`, whose run may have `place`."""
        ground, takeover = self._ground, self._partition.claim_of(request.id) is not None
        journey = Journey(ground.tracer, request, ground.topic, self.p, takeover=takeover)
        self._runs[request.id] = Run(ground.engine, request, place, self, journey)
        ground.metrics.claims.inc()
        self._feed(
            lambda: self._partition.take(
                request.id, host=place.host, incarnation=place.incarnation, fingerprint=place.fingerprint
            )
        )

    def move(self, run: Run, place: Place) -> None:
        """Let a homeless run go on at `place`."""
        id = run.request.id
        del self._homeless[id]
        run.place = place
        self._feed(
            lambda: self._partition.move(
                id, host=place.host, incarnation=place.incarnation, fingerprint=place.fingerprint
            )
        )

    def expire(self, now: float) -> None:
        """End what has passed a deadline; `now` is the loop's time."""
        today = time.time()
        for request in list(self.waiting()):
            waited = today - request.created_ms / 1000
            if waited > min(request.deadlines.queue_s, request.deadlines.whole_s):
                self._end(request.id, _overdue(f"no engine took it within {waited:.1f} s", Outcome.EXPIRED))
        for run in list(self._runs.values()):
            if reason := run.overdue(now):
                self._end(run.request.id, _overdue(reason))
            elif today - run.request.created_ms / 1000 > run.request.deadlines.whole_s:
                self._end(run.request.id, _overdue(f"it lasted longer than {run.request.deadlines.whole_s:g} s"))

    def close(self) -> None:
        """Own p no longer: what runs is let go for the next owner to adopt, and nothing more is said."""
        self._closed = True
        for timer in self._lingering.values():
            timer.cancel()
        runs, self._runs = self._runs, {}
        self._homeless.clear()
        for run in runs.values():
            run.release()
        self._ground.engine.forget(self._name)
        self._ground.changed()

    def _end(self, id: str, final: Final) -> None:
        if run := self._runs.get(id):
            run.journey.end(final)
        self._feed(self._partition.end, id, final)

    def _feed(self, method: Callable[..., None], *args: object) -> None:
        if not self._closed:
            method(*args)
            self._carry_out()

    def _carry_out(self) -> None:
        """Carry out effects, in order, until there are none; what they cause joins the end of the queue."""
        if self._carrying_out:
            return
        self._carrying_out = True
        try:
            while effects := self._partition.drain():
                for effect in effects:
                    self._do(effect)
        finally:
            self._carrying_out = False

    def _do(self, effect: Effect) -> None:
        match effect:
            case AppendReply(r, record):
                self._append_reply(r, record)
            case AppendQueue(record):
                self._append_queue(record)
            case Start(request):
                self._start(request.id)
            case Resume(request, history):
                self._resume(request, history)
            case Stop(id):
                self._stop(id)
            case Scan():
                self._scan(effect)
            case Linger(id, grace_s):
                self._linger(id, grace_s)
            case ReadFrom(offset):
                self._ground.read_from(self.p, offset)
            case StepDown(reason):
                self._ground.step_down(self, reason)

    def _append_queue(self, record: QueueRecord) -> None:
        on_ack: OnAck | None = None
        if isinstance(record, Epoch):
            on_ack = self._epoch_stands
        elif isinstance(record, Done):
            self._stop(record.id)
        self._ground.append_queue(self.p, record, on_ack)

    def _epoch_stands(self, offset: int) -> None:
        if not self._closed:
            self._ground.fetch_committed(self, offset)

    def _append_reply(self, r: int, record: ReplyRecord) -> None:
        on_ack: OnAck | None = None
        run = self._runs.get(record.id)
        if isinstance(record, Head):
            on_ack = partial(self._head_stands, record.id)
            record = replace(record, waited_ms=run.waited_ms if run is not None else 0)
        else:
            if record.final is not None:
                on_ack = partial(self._final_stands, record.id, run)
            elif run is not None:
                on_ack = run.acknowledged
            self._ground.metrics.said(record)
        self._ground.append_reply(r, record, on_ack)

    def _head_stands(self, id: str, offset: int) -> None:
        self._feed(self._partition.head_acked, id, offset)

    def _final_stands(self, id: str, run: Run | None, offset: int) -> None:
        if run is not None:
            run.acknowledged(offset)
        self._feed(self._partition.final_acked, id)

    # What runs say.

    def on_frame(self, run: Run, frame: EngineFrame) -> None:
        """Take what a run says."""
        if self._closed:
            return
        if _bytes(frame) > codec.MAX_RECORD_BYTES:
            self._end(run.request.id, _too_large(frame))
            return
        self._partition.frame(run.request.id, frame)
        self._carry_out()
        if run.ended:
            self._ground.changed()

    def on_lost(self, run: Run) -> None:
        """Find another place for a run, soon."""
        self._homeless[run.request.id] = run
        self._ground.changed()

    def on_failed(self, run: Run, final: Final) -> None:
        """End a generation whose run failed."""
        self._stop(run.request.id)
        self._end(run.request.id, final)

    # What the partition wants of runs.

    def _start(self, id: str) -> None:
        if run := self._runs.get(id):
            run.start(Order(run.request, self._name, self._partition.epoch))

    def _resume(self, request: Request, history: History) -> None:
        """Adopt what still runs, else have it gone on with from its tokens; where no engine can, it ends."""
        run = self._runs.get(request.id)
        if run is None or run.place is None:
            return
        if history.frames and not run.place.goes_on:
            message = (
                "The worker that drove this generation was lost, and its engine can't go on from tokens; ask again."
            )
            self._end(request.id, Final(Outcome.FAILED, Failure("worker_lost", message)))
            return
        if run.place.runs:
            self._ground.metrics.adoptions.inc()
        elif history.frames:
            self._ground.metrics.rebuilds.inc()
        run.start(Order(request, self._name, self._partition.epoch, history))

    def _stop(self, id: str) -> None:
        """End a run, by which there is room for another."""
        self._homeless.pop(id, None)
        if run := self._runs.pop(id, None):
            run.cancel()
            self._ground.changed()

    def _scan(self, scan: Scan) -> None:
        self._ground.metrics.takeovers.inc()
        self._ground.search(
            scan.r,
            Search(
                id=scan.id,
                start=scan.start,
                stop=scan.stop,
                on_found=lambda history: self._feed(self._partition.scanned, scan.id, history),
                on_failed=lambda final: self._unreadable(scan.id, final),
            ),
        )

    def _unreadable(self, id: str, final: Final) -> None:
        """What was said can't be read again: nothing of it counts here, and the generation ends."""
        self._end(id, final)
        self._feed(self._partition.scanned, id, History())

    def _linger(self, id: str, grace_s: float) -> None:
        def over() -> None:
            self._lingering.pop(id, None)
            self._feed(self._partition.linger_over, id)

        if former := self._lingering.pop(id, None):
            former.cancel()
        self._lingering[id] = asyncio.get_running_loop().call_later(grace_s, over)


def _bytes(frame: EngineFrame) -> int:
    """Give an upper bound on what a frame's words take in the log."""
    return len(frame.delta) + 5 * len(frame.tokens)


def _too_large(frame: EngineFrame) -> Final:
    message = (
        f"The engine said {_bytes(frame)} bytes in one step, and the log takes {codec.MAX_RECORD_BYTES}; ask for fewer "
        f"logprobs or choices."
    )
    return Final(Outcome.FAILED, Failure("engine_failed", message))


def _overdue(reason: str, outcome: Outcome = Outcome.FAILED) -> Final:
    message = f"This generation was ended, since {reason}; ask again, or allow more time."
    return Final(outcome, Failure("deadline_exceeded", message))
