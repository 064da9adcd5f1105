"""An engine's host as workers see it: who may command what runs there, who is told of it, and what is kept for whom.

`Host` is fed with what happens (attaches, commands, words, time) and answers with effects, which its shell carries out
in their order: no I/O, no clock. A pass of the shell feeds what came, puts into words what `ready` gives, then calls
`tick` and `flush`. The protocol is told in docs/engine.md.

    submit ─▶ held by a session ──end said──▶ ended ──acknowledged──▶ forgotten
                │        ▲
     let go, or fenced   │ adopt: same tokens, at the boundary of a frame that is kept
                ▼        │
             kept by the host, for the grace ──▶ aborted
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any

from msgspec import Struct

from inferno_core import session as wire
from inferno_core.errors import DeadlineExceeded, Fenced, InfernoError, Unavailable
from inferno_core.fence import Fences, Standing
from inferno_core.hosted import MESSAGE_BYTES, Row, Run, Session
from inferno_core.records import Failure, Usage
from inferno_core.session import GRACE_S, HEARTBEAT_S, Adoption, Attach, Commands, Ending, Hello

ROTATE_S = 60.0
ROTATE_BYTES = 32 << 20
RESPONSE_BYTES = 1600
"""What Triton keeps for each response until its request ends, besides the words."""

_NEWS_S = 0.05
_LOOK_S = 0.1
_TURN = 64


class Start(Struct, frozen=True):
    """Begin this at the engine."""

    run: Run
    submit: wire.Submit


class Abort(Struct, frozen=True):
    """End these at the engine, by their keys; nobody hears of it."""

    keys: tuple[str, ...]


class Send(Struct, frozen=True):
    """Send messages on the attach `place` in one response, its last one if `final`."""

    place: Any
    messages: tuple[bytes, ...]
    final: bool = False


class Fail(Struct, frozen=True):
    """End this at the engine; when what it has said is told, tell `error`."""

    run: Run
    error: InfernoError


Effect = Start | Abort | Send | Fail


class Host:
    """The generations of all sessions at one engine. `life` names this process, `slots` is how many choices run at once.

    `others` is how many choices run there for clients without a session, and `crowded` whether the engine has requests
    waiting; the shell keeps both true. `proven_at` is when the model was last seen to be in service: without that no
    attach is ended for another to follow.
    """

    def __init__(self, life: str, slots: int) -> None:
        self.life = life
        self.slots = slots
        self.others = 0
        self.crowded = False
        self.proven_at = float("inf")
        self.retiring = False
        self.runs: dict[str, Run] = {}
        self.sessions: dict[str, Session] = {}
        self._fences = Fences()
        self._places: dict[Any, Session] = {}
        self._serials = count()
        self._working = 0
        self._look_at = 0.0
        self._outbox: list[Effect] = []

    def drain(self) -> list[Effect]:
        """Give the effects since the last call."""
        effects, self._outbox = self._outbox, []
        return effects

    @property
    def places(self) -> Sequence[Any]:
        """The attaches on which somebody listens."""
        return tuple(self._places)

    # Who listens

    def attach(self, place: Any, said: Attach, now: float) -> None:
        """Somebody listens at `place`, as the session that it names; a former attach of that session ends."""
        if self.retiring:
            self._send(place, (wire.encode(wire.Message(0, 0, 0, bye="retiring")),), final=True)
            return
        session = self.sessions.get(said.session)
        fresh = session is None
        if session is None:
            session = self.sessions[said.session] = Session(said.session)
        if session.place is not None:
            self._leave(session, "replaced", now)
        session.place, session.attached_at, session.sent_bytes = place, now, 0
        session.window_bytes = said.window_bytes
        self._places[place] = session
        self._say(session, session.aside(self._room(session), Hello(self.life, fresh)), now)
        self._again(session, session.unseen(said.seen), now)

    def _again(self, session: Session, messages: Sequence[bytes], now: float) -> None:
        """Say what was said before, many messages in one response, and then how things stand now."""
        together: list[bytes] = []
        size = 0
        for data in messages:
            together.append(data)
            size += len(data)
            if size >= MESSAGE_BYTES:
                self._say(session, *together, now=now)
                together, size = [], 0
        if messages:
            self._say(session, *together, session.aside(self._room(session)), now=now)

    def left(self, place: Any, now: float) -> None:
        """Nobody listens at `place` any more; its session has the grace to attach anew."""
        session = self._places.pop(place, None)
        self._send(place, (), final=True)
        if session is not None:
            session.place, session.lost_at = None, now

    def _leave(self, session: Session, bye: str, now: float) -> None:
        """End an attach, with a word."""
        self._send(session.place, (session.aside(self._room(session), bye=bye),), final=True)
        del self._places[session.place]
        session.place, session.lost_at = None, now

    # Commands

    def carry_out(self, said: Commands, now: float) -> None:
        """Do what a session says. A batch that was heard before, or one behind a gap, is left aside."""
        session = self.sessions.get(said.session)
        if session is None or said.number != session.heard + 1:
            return
        session.heard = said.number
        aborted: list[str] = []
        for command in said.commands:
            self._carry_out(session, command, aborted, now)
        if aborted:
            self._outbox.append(Abort(tuple(aborted)))

    def _carry_out(self, session: Session, command: wire.Command, aborted: list[str], now: float) -> None:
        match command:
            case wire.Ack():
                for run in session.acknowledge(command.number):
                    self._forget(run)
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
        """Say whether a command counts. With the first of a new owner, former ones lose their runs of the partition."""
        standing = self._fences.hear(command.partition, command.epoch, session.name)
        if standing is Standing.RAISED:
            for run in [run for run in self.runs.values() if run.partition == command.partition]:
                if run.session is not None:
                    self._let_go(run, now)
        return standing is not Standing.REFUSED

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
        self._outbox.append(Start(run, command))

    def _refusal(self, session: Session, command: wire.Submit, now: float) -> InfernoError | None:
        if not self._hear(session, command, now):
            return Fenced("Another worker commands this partition here.")
        if command.handle in session.runs:
            return InvalidSubmit(f"Handle {command.handle} of this session is taken.")
        if self.retiring or len(self.runs) >= 4 * self.slots + _TURN:
            return Unavailable("This host takes nothing more at present.", retry_after_s=1)
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
        session.runs[run.handle] = run
        session.say(run.handle, rows)
        if run.ending is not None:
            run.ending = Ending(run.handle, run.ending.usage, run.ending.failure)
            session.say_end(run, run.ending)
        else:
            session.queue(run)

    # What runs

    def gained(self, run: Run) -> None:
        """A run has something to say."""
        if run.session is not None:
            run.session.queue(run)

    def ready(self) -> Iterator[Run]:
        """Give runs that have something to say, and whose session may be told: a few of each session in turn. Whoever
        is not done with one queues it again, by `gained`.
        """
        while speaking := [each for each in self.sessions.values() if each.backlog and self._may_speak(each)]:
            for session in speaking:
                for _ in range(min(_TURN, len(session.backlog))):
                    run = session.backlog.popleft()
                    run.queued = False
                    if run.session is session:
                        yield run

    def _may_speak(self, session: Session) -> bool:
        return session.place is not None and (self.retiring or session.has_credit)

    def say(self, run: Run, rows: Sequence[Row], now: float) -> None:
        """A run says this."""
        for row in rows:
            run.count(row[0], row[1])
        session = run.session
        if session is None:
            run.kept += rows
            return
        session.say(run.handle, rows)
        if session.open_bytes >= MESSAGE_BYTES:
            self._close(session, now)

    def stopped(self, run: Run) -> None:
        """The engine is done with a run, which may still have something to say."""
        if run.working:
            run.working = False
            self._working -= run.slots

    def end(self, run: Run, usage: Usage | None, error: InfernoError | None) -> None:
        """A run has said all, and ends so."""
        self.stopped(run)
        run.ending = Ending(run.handle, usage, _failure(error) if error is not None else None)
        if run.session is not None:
            run.session.say_end(run, run.ending)

    def _let_go(self, run: Run, now: float) -> None:
        session = run.session
        assert session is not None
        session.let_go(run)
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
        if self.runs.get(run.id) is run:
            del self.runs[run.id]

    # Time

    def tick(self, now: float) -> None:
        """See what time has brought: ends of grace and of deadlines, heartbeats, attaches that have grown old."""
        if now >= self._look_at:
            self._look_at = now + _LOOK_S
            self._look(now)
        for session in list(self._places.values()):
            self._keep_alive(session, now)

    def _look(self, now: float) -> None:
        aborted: list[str] = []
        for session in list(self.sessions.values()):
            if session.place is None and (self.retiring or now >= session.lost_at + GRACE_S):
                del self.sessions[session.name]
                for run in list(session.runs.values()):
                    self._end(run, aborted)
        for run in list(self.runs.values()):
            if run.session is None and (self.retiring or now >= run.until):
                self._end(run, aborted)
            elif run.deadline is not None and now >= run.deadline and run.working:
                run.deadline = None
                self._outbox.append(Fail(run, DeadlineExceeded("The request's deadline passed.")))
        if aborted:
            self._outbox.append(Abort(tuple(aborted)))

    def _keep_alive(self, session: Session, now: float) -> None:
        if self._is_old(session, now):
            self._leave(session, "rotate", now)
            return
        quiet_s = now - session.spoke_at
        if quiet_s >= HEARTBEAT_S or (quiet_s >= _NEWS_S and self._room(session) > session.told_room):
            self._say(session, session.aside(self._room(session)), now)

    def _is_old(self, session: Session, now: float) -> bool:
        """Whether an attach should give way to another, and one would be taken."""
        if self.retiring:
            return False
        if session.sent_bytes >= ROTATE_BYTES:
            session.attached_at = min(session.attached_at, now - ROTATE_S)
        return self.proven_at > session.attached_at + ROTATE_S <= now

    def retire(self) -> None:
        """The model is being unloaded: nothing new is taken, and who listens is told all, whatever the windows."""
        self.retiring = True
        self._look_at = 0.0

    # Messages

    def flush(self, now: float) -> None:
        """Send what was said since the last call; one message for each session, as a rule."""
        for session in self.sessions.values():
            if session.is_open:
                self._close(session, now)
        if self.retiring:
            for session in [session for session in self._places.values() if not _has_more(session)]:
                self._leave(session, "retiring", now)

    def _close(self, session: Session, now: float) -> None:
        data = session.close(self._room(session))
        if session.place is not None:
            self._say(session, data, now=now)
        if self.retiring:
            # No acknowledgement will ever come.
            for run in session.acknowledge(session.number):
                self._forget(run)

    def _say(self, session: Session, *messages: bytes, now: float) -> None:
        session.spoke_at = now
        session.told_room = self._room(session)
        session.sent_bytes += RESPONSE_BYTES + sum(map(len, messages))
        self._send(session.place, messages)

    def _send(self, place: Any, messages: tuple[bytes, ...], *, final: bool = False) -> None:
        self._outbox.append(Send(place, messages, final))

    def _room(self, session: Session) -> int:
        """How many more choices this session may submit: its share of what is free."""
        free = self.slots - self._working - self.others
        if self.retiring or self.crowded or free <= 0 or not session.has_credit:
            return 0
        return -(-free // max(1, len(self._places)))
