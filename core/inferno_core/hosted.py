"""What a host remembers: the generations that run there, and what it told of them to each session.

Messages are kept as they were sent, as bytes, until they are acknowledged: nothing is kept for each frame. Only when a
generation changes hands are they read again, for the frames that go with it.
"""

from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from inferno_core import session as wire
from inferno_core.session import Adoption, Ending, Frames, Hello, Message

Row = tuple[int, Sequence[int], bytes, str]
"""A frame: its choice, its tokens, the choice object, and why the choice ended ("" while it goes on)."""

MESSAGE_BYTES = 256 << 10
"""How much is said in one message, as far as frames can be told apart."""

_OVERHEAD_BYTES = 128
_ROW_BYTES = 16


class Run:
    """A generation at the engine, or one that has ended there and is not yet known to stand in the log.

    `key` names it to the engine. `session` holds it, and calls it `handle`; without one it waits, until `until`, for
    somebody to adopt it. `tokens` has what was said of each choice, in `pieces` frames, those it went on from included;
    `kept` the last of these frames, while no session holds it. `words` is where its shell has the words to come.
    `ending` is its end, once that was said.
    """

    __slots__ = (
        "deadline",
        "ending",
        "epoch",
        "handle",
        "id",
        "kept",
        "key",
        "partition",
        "pieces",
        "queued",
        "session",
        "slots",
        "tokens",
        "until",
        "words",
        "working",
    )

    def __init__(self, key: str, submit: wire.Submit, session: "Session", now: float) -> None:
        self.key = key
        self.id = submit.id
        self.partition = submit.partition
        self.epoch = submit.epoch
        self.slots = max(1, submit.slots)
        self.deadline = now + submit.deadline_s if submit.deadline_s > 0 else None
        self.session: Session | None = session
        self.handle = submit.handle
        self.tokens: dict[int, array[int]] = {}
        self.pieces = 0
        self.kept: list[Row] = []
        self.until = 0.0
        self.queued = False
        self.working = True
        self.ending: Ending | None = None
        self.words: Any = None
        for piece in submit.accepted:
            self.count(piece.choice, piece.tokens)

    def count(self, choice: int, tokens: Sequence[int]) -> None:
        """Remember the tokens of a frame that was said."""
        self.pieces += 1
        said = self.tokens.get(choice)
        if said is None:
            said = self.tokens[choice] = array("i")
        said.extend(tokens)

    def accepted(self, adopt: wire.Adopt) -> int | None:
        """How many of the frames in `kept` the log has already, or None where run and log do not agree."""
        said = {choice: self.tokens.get(choice, ())[:end] for choice, end in adopt.next.items()}
        if wire.tokens_digest(said) != adopt.digest:
            return None
        # None of its frames may be missing between those in the log and those that are kept.
        place = {choice: len(tokens) for choice, tokens in self.tokens.items()}
        for choice, tokens, _, _ in self.kept:
            place[choice] -= len(tokens)
        wanted = dict.fromkeys(place, 0) | adopt.next
        first = self.pieces - len(self.kept)
        for number, row in enumerate([*self.kept, None]):
            if place == wanted and adopt.pieces in (-1, first + number):
                return number
            if row is not None:
                place[row[0]] += len(row[1])
        return None


class Session:
    """What a host knows of one session: who listens, what was said, and what is to be said.

    `place` is the attach it has now, None if it is lost since `lost_at`. `heard` is the last batch of its commands.
    `backlog` are runs that have something to say. `told_room`, `told_heard` and `spoke_at` are of the last message;
    `sent_bytes` is what the attach carried, and at `old_at` it is old.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.window_bytes = 0
        self.place: Any = None
        self.lost_at = 0.0
        self.old_at = 0.0
        self.sent_bytes = 0
        self.spoke_at = 0.0
        self.told_room = 0
        self.told_heard = 0
        self.heard = 0
        self.runs: dict[int, Run] = {}
        self.backlog: deque[Run] = deque()
        self._number = 0
        self._held: deque[tuple[int, bytes]] = deque()
        self._held_bytes = 0
        self._ended: deque[tuple[int, int, Run]] = deque()
        self._by_handle: dict[int, list[Row]] | None = None
        self._open()

    def _open(self) -> None:
        """Begin a message."""
        self._frames = Frames([], [], [], [], [], {})
        self._adoptions: list[Adoption] = []
        self._endings: list[Ending] = []
        self.open_bytes = 0

    @property
    def has_credit(self) -> bool:
        """Whether it may be told more words."""
        return self._held_bytes + self.open_bytes < self.window_bytes

    @property
    def is_open(self) -> bool:
        """Whether a message was begun."""
        return bool(self.open_bytes)

    @property
    def number(self) -> int:
        """The number of the last message that was ended."""
        return self._number

    def say(self, runs: Sequence[Run], rows: Sequence[Row], *, again: bool = False) -> None:
        """Say frames, each of the run at its place in `runs`; `again`: they were said before, to somebody else. This is
        done for each token, so it is done column by column.
        """
        if not rows:
            return
        frames, first = self._frames, len(self._frames.handles)
        choices, tokens, deltas, finishes = zip(*rows, strict=True)
        if not again:
            for run, choice, said in zip(runs, choices, tokens, strict=True):
                run.count(choice, said)
        frames.handles.extend([run.handle for run in runs])
        frames.choices.extend(choices)
        frames.counts.extend(map(len, tokens))
        frames.tokens.extend(chain.from_iterable(tokens))
        frames.deltas.extend(deltas)
        if any(finishes):
            frames.finishes.update((first + row, finish) for row, finish in enumerate(finishes) if finish)
        self.open_bytes += sum(map(len, deltas)) + _ROW_BYTES * len(rows)
        self._by_handle = None

    def say_end(self, run: Run, ending: Ending) -> None:
        """Say the end of a run; it is forgotten when that is acknowledged."""
        self._endings.append(ending)
        self._ended.append((self._number + 1, run.handle, run))
        self.open_bytes += _ROW_BYTES

    def refuse(self, ending: Ending) -> None:
        """Say that something was not begun."""
        self._endings.append(ending)
        self.open_bytes += _ROW_BYTES

    def say_adoption(self, adoption: Adoption) -> None:
        """Answer an adoption; its frames come after this, in the same message or a later one."""
        self._adoptions.append(adoption)
        self.open_bytes += _ROW_BYTES

    def close(self, room: int, at: float) -> bytes:
        """End the message that was begun, and keep it; give its bytes. `at`: what it tells came about then."""
        self._number += 1
        frames = self._frames if self._frames.handles else None
        adoptions, endings = tuple(self._adoptions), tuple(self._endings)
        message = Message(self._number, self.heard, room, None, adoptions, frames, endings, at=at)
        data = wire.encode(message)
        self._held.append((self._number, data))
        self._held_bytes += len(data) + _OVERHEAD_BYTES
        self._by_handle = None
        self._open()
        return data

    def aside(self, room: int, hello: Hello | None = None, bye: str = "") -> bytes:
        """Give a message that is not kept: a heartbeat, the first of an attach, or its last."""
        return wire.encode(Message(0, self.heard, room, hello, bye=bye))

    def unseen(self, seen: int) -> list[bytes]:
        """Give what is kept of what was said after message `seen`."""
        return [data for number, data in self._held if number > seen]

    def acknowledge(self, number: int) -> list[Run]:
        """Forget messages up to `number`; give the runs of this session whose end they told."""
        held = self._held
        while held and held[0][0] <= number:
            self._held_bytes -= len(held.popleft()[1]) + _OVERHEAD_BYTES
            self._by_handle = None
        ended: list[Run] = []
        while self._ended and self._ended[0][0] <= number:
            _, handle, run = self._ended.popleft()
            if self.runs.get(handle) is run:
                ended.append(run)
        return ended

    def let_go(self, run: Run) -> None:
        """Leave a run, with those of its frames that were not acknowledged, to whoever adopts it."""
        if self._by_handle is None:
            self._by_handle = _rows(data for _, data in self._held)
            _sort(self._frames, self._by_handle)
        run.kept = self._by_handle.pop(run.handle, [])
        self.forget(run)

    def forget(self, run: Run) -> None:
        """Say nothing more of a run."""
        del self.runs[run.handle]
        run.session = None


def _rows(messages: Iterable[bytes]) -> dict[int, list[Row]]:
    """Read what was said: the frames of each handle, in their order."""
    rows: dict[int, list[Row]] = {}
    for data in messages:
        frames = wire.decode_message(data).frames
        if frames is not None:
            _sort(frames, rows)
    return rows


def _sort(frames: Frames, rows: dict[int, list[Row]]) -> None:
    start = 0
    for row, handle in enumerate(frames.handles):
        stop = start + frames.counts[row]
        frame = (frames.choices[row], frames.tokens[start:stop], frames.deltas[row], frames.finishes.get(row, ""))
        rows.setdefault(handle, []).append(frame)
        start = stop
