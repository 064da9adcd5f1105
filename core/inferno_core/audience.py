"""Who listens at an engine's host, and what is sent: attaches that come, grow old and break; messages, heartbeats.

An attach is a request of Triton that is answered for as long as it lives. `place` is its shell's name for it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from inferno_core.hosted import MESSAGE_BYTES, Session
from inferno_core.session import GRACE_S, HEARTBEAT_S, Attach, Hello

ROTATE_S = 60.0
ROTATE_BYTES = 32 << 20
RESPONSE_BYTES = 1600
"""What Triton keeps of each response until its request ends, besides the words."""

WINDOW_BYTES = 64 << 20
"""How much is kept for a session at most, whatever window it asks for."""

LINGER_S = 0.5
"""How long an attach stays when another took its place. Who broke it off may be doing so right now, and a cancellation
that meets FINAL on its way leaves the model in Triton's hands for ever.
"""

_NEWS_S = 0.05


class Send(Struct, frozen=True):
    """Send messages at `place` in one response, which is its last one if `final`."""

    place: Any
    messages: tuple[bytes, ...]
    final: bool = False


class Audience:
    """The sessions of a host. `life` names its process, `free` tells how many choices could run besides those that do.

    A `retiring` one takes no attach.
    """

    def __init__(self, life: str, free: Callable[[], int]) -> None:
        self.life = life
        self.retiring = False
        self.sessions: dict[str, Session] = {}
        self.sends: list[Send] = []
        self._free = free
        self._proven_at = float("inf")
        self._places: dict[Any, Session] = {}
        self._replaced: dict[Any, tuple[float, bytes]] = {}

    @property
    def places(self) -> Sequence[Any]:
        """Where somebody listens, or did until another came."""
        return (*self._places, *self._replaced)

    def prove(self, at: float) -> None:
        """The model was in service at `at`. Once this was called, an attach that has grown old stays until it was seen
        after that that another would be taken in its place.
        """
        self._proven_at = at

    def attach(self, place: Any, said: Attach, now: float) -> None:
        """Somebody listens at `place`, as the session that it names; a former attach of that session ends."""
        if self.retiring:
            self.sends.append(Send(place, (Session(said.session).aside(0, bye="retiring"),), final=True))
            return
        session = self.sessions.get(said.session)
        fresh = session is None
        if session is None:
            session = self.sessions[said.session] = Session(said.session)
        if session.place is not None:
            del self._places[session.place]
            self._replaced[session.place] = (now + LINGER_S, session.aside(0, bye="replaced"))
        session.place, session.old_at, session.sent_bytes = place, now + ROTATE_S, 0
        session.window_bytes = min(said.window_bytes, WINDOW_BYTES)
        self._places[place] = session
        self._send(session, [session.aside(self._room(session), Hello(self.life, fresh))], now)
        self._send_again(session, session.unseen(said.seen), now)

    def _send_again(self, session: Session, messages: Sequence[bytes], now: float) -> None:
        """Send what was said before, many messages in one response, and then how things stand now."""
        together: list[bytes] = []
        size = 0
        for data in messages:
            together.append(data)
            size += len(data)
            if size >= MESSAGE_BYTES:
                self._send(session, together, now)
                together, size = [], 0
        if messages:
            self._send(session, [*together, session.aside(self._room(session))], now)

    def left(self, place: Any, now: float) -> None:
        """Nobody listens at `place` any more; its session has the grace to attach anew."""
        session = self._places.pop(place, None)
        self._replaced.pop(place, None)
        self.sends.append(Send(place, (), final=True))
        if session is not None:
            session.place, session.lost_at = None, now

    def _leave(self, session: Session, bye: str, now: float) -> None:
        """End an attach, with a word."""
        self.sends.append(Send(session.place, (session.aside(self._room(session), bye=bye),), final=True))
        del self._places[session.place]
        session.place, session.lost_at = None, now

    def lost(self, now: float) -> list[Session]:
        """Forget the sessions that were lost for longer than the grace, and give them."""
        lost = [
            session
            for session in self.sessions.values()
            if session.place is None and (self.retiring or now >= session.lost_at + GRACE_S)
        ]
        for session in lost:
            del self.sessions[session.name]
        return lost

    def may_speak(self, session: Session) -> bool:
        """Whether a session may be told words."""
        return session.place is not None and (self.retiring or session.has_credit)

    def close(self, session: Session, at: float, now: float) -> None:
        """End the message that was begun for a session, and send it if somebody listens."""
        data = session.close(self._room(session), at)
        if session.place is not None:
            self._send(session, [data], now)

    def keep(self, now: float) -> None:
        """Keep the attaches alive, or end them: to be called often."""
        for place, (until, data) in list(self._replaced.items()):
            if now >= until:
                del self._replaced[place]
                self.sends.append(Send(place, (data,), final=True))
        for session in list(self._places.values()):
            if self._is_old(session, now):
                self._leave(session, "rotate", now)
            elif self._is_due(session, now):
                self._send(session, [session.aside(self._room(session))], now)

    def _is_old(self, session: Session, now: float) -> bool:
        """Whether an attach should give way to another, and one would be taken."""
        return not self.retiring and now >= session.old_at and self._proven_at >= session.old_at

    def _is_due(self, session: Session, now: float) -> bool:
        """Whether it is time for a heartbeat, or for news that a session may be waiting for: more room, or that its
        commands were heard.
        """
        quiet_s = now - session.spoke_at
        has_news = session.heard > session.told_heard or self._room(session) > session.told_room
        return quiet_s >= HEARTBEAT_S or (quiet_s >= _NEWS_S and has_news)

    def dismiss(self, now: float) -> None:
        """A host that retires takes leave of those whom it has nothing more to tell."""
        for session in list(self._places.values()):
            if not session.runs and not session.is_open:
                self._leave(session, "retiring", now)

    def _send(self, session: Session, messages: Iterable[bytes], now: float) -> None:
        send = Send(session.place, tuple(messages))
        self.sends.append(send)
        session.spoke_at, session.told_heard, session.told_room = now, session.heard, self._room(session)
        session.sent_bytes += RESPONSE_BYTES + sum(map(len, send.messages))
        if session.sent_bytes >= ROTATE_BYTES:
            session.old_at = min(session.old_at, now)

    def _room(self, session: Session) -> int:
        """How many more choices a session may submit: its share of what is free."""
        free = self._free()
        if self.retiring or free <= 0 or not session.has_credit:
            return 0
        return -(-free // max(1, len(self._places)))
