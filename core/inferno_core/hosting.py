"""An engine's host as workers see it: who may command what runs there, who is told of it, and what is kept for whom.

`Host` is fed with what happens (attaches, commands, words, time) and answers with effects, which its shell carries out
in their order: no I/O, no clock. A pass of the shell feeds what came, puts into words what `ready` gives, then calls
`flush` and `tick`. The protocol is told in docs/engine.md.

    submit ─▶ held by a session ──end said──▶ ended ──acknowledged──▶ forgotten
                │        ▲
     let go, or fenced   │ adopt: same tokens, up to the boundary of a frame that is kept
                ▼        │
             kept by the host, for the grace ──▶ aborted
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from inferno_core import session as wire
from inferno_core.audience import Audience, Send
from inferno_core.errors import DeadlineExceeded, Fenced, InfernoError, Unavailable
from inferno_core.fence import Fences, Standing
from inferno_core.hosted import MESSAGE_BYTES, Row, Run, Session
from inferno_core.records import Failure, Phases, Usage
from inferno_core.session import GRACE_S, Adoption, Attach, Commands, Ending

_LOOK_S = 0.1
TURN = 64
"""How many runs of a session have their say before another session has its turn."""


class Start(Struct, frozen=True):
    """Begin this at the engine."""

    run: Run
    submit: wire.Submit


class Abort(Struct, frozen=True):
    """End these at the engine, by their keys; nobody hears of it."""

    keys: tuple[str, ...]


class Fail(Struct, frozen=True):
    """End this at the engine; when what it said so far is told, tell `error`."""

    run: Run
    error: InfernoError


Effect = Start | Abort | Fail | Send


class Host:
    """The generations of all sessions at one engine. `life` names this process; `slots` choices run at once.

    `busy` is how many choices run at the engine, those of clients without a session included, `crowded` whether it has
    some waiting, `stepped_at` when a step last ended: the shell keeps them true.
    """

    def __init__(self, life: str, slots: int) -> None:
        self.slots = slots
        self.busy = 0
        self.crowded = False
        self.stepped_at = 0.0
        self.runs: dict[str, Run] = {}
        self.audience = Audience(life, self.free)
        self._fences = Fences()
        self._serials = count()
        self._working = 0
        self._look_at = 0.0
        self._effects: list[Effect] = []

    def drain(self) -> list[Effect]:
        """Give the effects since the last call."""
        effects = [*self._effects, *self.audience.sends]
        self._effects.clear()
        self.audience.sends.clear()
        return effects

    @property
    def works(self) -> bool:
        """Whether the engine works at anything that was submitted."""
        return self._working > 0

    def free(self) -> int:
        """How many more choices could run at once."""
        return 0 if self.crowded else self.slots - max(self._working, self.busy)

    # Who listens

    def attach(self, place: Any, said: Attach, now: float) -> None:
        """Somebody listens at `place`, as the session that it names; a former attach of that session ends."""
        self.audience.attach(place, said, now)

    def left(self, place: Any, now: float) -> None:
        """Nobody listens at `place` any more; its session has the grace to attach anew."""
        self.audience.left(place, now)

    def retire(self) -> None:
        """The model is being unloaded: nothing new is taken, and who listens is told all, whatever the windows."""
        self.audience.retiring = True
        self._look_at = 0.0
        for session in self.audience.sessions.values():
            self._acknowledge(session, session.number)

    # What they command

    def carry_out(self, said: Commands, now: float) -> None:
        """Do what a session says. A batch that was heard before, or one behind a gap, is left aside."""
        session = self.audience.sessions.get(said.session)
        if session is None or said.number != session.heard + 1:
            return
        session.heard = said.number
        aborted: list[str] = []
        for command in said.commands:
            self._carry_out(session, command, aborted, now)
        self._abort(aborted)

    def _carry_out(self, session: Session, command: wire.Command, aborted: list[str], now: float) -> None:
        match command:
            case wire.Ack():
                self._acknowledge(session, command.number)
            case wire.Submit() | wire.Adopt() if command.handle in session.runs:
                # A handle is used once. Whoever names it again must not make us lose the run that has it.
                return
            case wire.Submit():
                self._submit(session, command, aborted, now)
            case wire.Adopt():
                self._adopt(session, command, aborted, now)
            case wire.Fence():
                self._hear(session, command, now)
            case wire.Cancel():
                for run in _named(session, command.handles):
                    self._end(run, aborted)
            case wire.Release():
                for run in _named(session, command.handles):
                    self._let_go(run, now)

    def _hear(self, session: Session, command: wire.Fence | wire.Submit | wire.Adopt, now: float) -> bool:
        """Say whether a command counts. At the first of a new owner, former ones lose their runs of the partition."""
        standing = self._fences.hear(command.partition, command.epoch, session.name)
        if standing is Standing.RAISED:
            for run in self.runs.values():
                if run.partition == command.partition and run.session is not None:
                    self._let_go(run, now)
        return standing is not Standing.REFUSED

    def _acknowledge(self, session: Session, number: int) -> None:
        for run in session.acknowledge(number):
            self._forget(run)

    def _submit(self, session: Session, command: wire.Submit, aborted: list[str], now: float) -> None:
        refused = self._refusal(session, command, now)
        if refused is not None:
            session.refuse(Ending(command.handle, failure=_failure(refused)))
            return
        older = self.runs.get(command.id)
        if older is not None:
            self._end(older, aborted)
        run = Run(f"{command.id}#{next(self._serials)}", command, session, now)
        self.runs[run.id] = session.runs[run.handle] = run
        self._working += run.slots
        self._effects.append(Start(run, command))

    def _refusal(self, session: Session, command: wire.Submit, now: float) -> InfernoError | None:
        if not self._hear(session, command, now):
            return Fenced("Another worker commands this partition here.")
        # A bound for sessions that heed no `room`, and never acknowledge.
        if self.audience.retiring or len(self.runs) >= 8 * self.slots + TURN:
            return Unavailable("This host takes nothing more at present; try again.", retry_after_s=1)
        return None

    def _adopt(self, session: Session, command: wire.Adopt, aborted: list[str], now: float) -> None:
        run = self.runs.get(command.id)
        if not self._hear(session, command, now) or run is None or run.partition != command.partition:
            session.say_adoption(Adoption(command.handle, resumed=False))
            return
        if run.session is not None:
            self._let_go(run, now)
        accepted = run.accepted(command)
        session.say_adoption(Adoption(command.handle, resumed=accepted is not None))
        if accepted is None:
            self._end(run, aborted)
        else:
            self._take(session, run, command, run.kept[accepted:])
        if session.open_bytes >= MESSAGE_BYTES:
            self._close(session, now)

    def _take(self, session: Session, run: Run, command: wire.Adopt, rows: Sequence[Row]) -> None:
        """Give a run to a session, with what the log does not have of it."""
        run.session, run.handle, run.epoch, run.kept = session, command.handle, command.epoch, []
        run.queued = False
        session.runs[run.handle] = run
        session.say([run] * len(rows), rows, again=True)
        if run.ending is None:
            self.gained([run])
            return
        run.ending = replace(run.ending, handle=run.handle)
        session.say_end(run, run.ending)

    def _let_go(self, run: Run, now: float) -> None:
        """Keep a run for whoever adopts it."""
        assert run.session is not None
        run.session.let_go(run)
        run.until = now + GRACE_S

    def _end(self, run: Run, aborted: list[str]) -> None:
        """Forget a run, and stop it if it still works."""
        if run.working:
            aborted.append(run.key)
        self._forget(run)

    def _forget(self, run: Run) -> None:
        self.stopped(run)
        if run.session is not None:
            run.session.forget(run)
        run.words = None
        del self.runs[run.id]

    def _abort(self, keys: Sequence[str]) -> None:
        if keys:
            self._effects.append(Abort(tuple(keys)))

    # What the engine says

    def gained(self, runs: Iterable[Run]) -> None:
        """Runs have something to say."""
        for run in runs:
            session = run.session
            if session is not None and not run.queued:
                run.queued = True
                session.backlog.append(run)

    def ready(self) -> Iterator[Sequence[Run]]:
        """Give runs that have something to say, and whose session may be told: up to TURN of each session in turn.
        Whoever is not done with one queues it again, by `gained`.
        """
        while speaking := [each for each in self.audience.sessions.values() if self._has_words(each)]:
            for session in speaking:
                backlog = session.backlog
                turn = [backlog.popleft() for _ in range(min(TURN, len(backlog)))]
                for run in turn:
                    run.queued = False
                yield [run for run in turn if run.session is session]

    def _has_words(self, session: Session) -> bool:
        return bool(session.backlog) and self.audience.may_speak(session)

    def say(self, runs: Sequence[Run], rows: Sequence[Row], now: float) -> None:
        """Say frames, each of the run at its place in `runs`; all these runs have the same session."""
        session = runs[0].session if runs else None
        if session is not None:
            session.say(runs, rows)
            if session.open_bytes >= MESSAGE_BYTES:
                self._close(session, now)
            return
        for run, row in zip(runs, rows, strict=True):
            run.count(row[0], row[1])
            run.kept.append(row)

    def stopped(self, run: Run) -> None:
        """The engine is done with a run, which may still have something to say."""
        if run.working:
            run.working = False
            self._working -= run.slots

    def end(self, run: Run, usage: Usage | None, error: InfernoError | None, phases: Phases | None = None) -> None:
        """A run has said all, and ends so."""
        self.stopped(run)
        run.ending = Ending(run.handle, usage, None if error is None else _failure(error), phases)
        if run.session is not None:
            run.session.say_end(run, run.ending)

    # Time

    def tick(self, now: float) -> None:
        """See what time has brought: to be called often, for 10 times a second is how exact it is."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            aborted: list[str] = []
            for session in self.audience.lost(now):
                for run in list(session.runs.values()):
                    self._end(run, aborted)
            for run in list(self.runs.values()):
                self._look(run, aborted, now)
            self._abort(aborted)
        self.audience.keep(now)

    def _look(self, run: Run, aborted: list[str], now: float) -> None:
        if run.session is None and (self.audience.retiring or now >= run.until):
            self._end(run, aborted)
        elif run.deadline is not None and now >= run.deadline and run.working:
            run.deadline = None
            self._effects.append(Fail(run, DeadlineExceeded("The request's deadline passed.")))

    # Messages

    def flush(self, now: float) -> None:
        """Send what was said since the last call: one message to each session, as a rule."""
        for session in self.audience.sessions.values():
            if session.is_open:
                self._close(session, now)
        if self.audience.retiring:
            self.audience.dismiss(now)

    def _close(self, session: Session, now: float) -> None:
        self.audience.close(session, self.stepped_at, now)
        if self.audience.retiring:
            # No acknowledgement will ever come.
            self._acknowledge(session, session.number)


def _named(session: Session, handles: Iterable[int]) -> list[Run]:
    return [session.runs[handle] for handle in dict.fromkeys(handles) if handle in session.runs]


def _failure(error: InfernoError) -> Failure:
    return Failure(error.code, error.message, error.param)
