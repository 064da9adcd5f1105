"""A host with a clock, an engine and workers that are played by hand."""

from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from inferno_core import session as wire
from inferno_core.audience import Send
from inferno_core.hosted import Row, Run
from inferno_core.hosting import Abort, Fail, Host, Start
from inferno_core.records import Usage
from inferno_core.session import Adopt, Attach, Commands, Message, Submit

USAGE = Usage(1, 1)


@dataclass
class Ear:
    """One attach: the messages that came there, and whether it was ended."""

    session: str
    messages: list[Message] = field(default_factory=list)
    final: bool = False

    __hash__ = object.__hash__

    @property
    def bye(self) -> str:
        return self.messages[-1].bye if self.messages else ""

    def told(self) -> dict[int, list[Row]]:
        """The frames of each handle."""
        told: dict[int, list[Row]] = {}
        for message in self.messages:
            for handle, row in frames(message):
                told.setdefault(handle, []).append(row)
        return told

    def endings(self) -> dict[int, wire.Ending]:
        return {ending.handle: ending for message in self.messages for ending in message.endings}

    def adoptions(self) -> dict[int, bool]:
        return {each.handle: each.resumed for message in self.messages for each in message.adoptions}


def frames(message: Message) -> list[tuple[int, Row]]:
    """Read the columns of a message."""
    if message.frames is None:
        return []
    columns, at, read = message.frames, 0, list[tuple[int, Row]]()
    for row, handle in enumerate(columns.handles):
        stop = at + columns.counts[row]
        frame = (columns.choices[row], columns.tokens[at:stop], columns.deltas[row], columns.finishes.get(row, ""))
        read.append((handle, frame))
        at = stop
    return read


class Stage:
    """Feeds a `Host`, plays its engine, and hands what it sends to ears."""

    def __init__(self, slots: int = 8) -> None:
        self.host = Host("life", slots)
        self.now = 0.0
        self.running: dict[str, Run] = {}
        self.aborted: list[str] = []
        self.failing: list[Fail] = []
        self.pending: dict[Run, list[Row]] = {}
        self.ears: dict[str, Ear] = {}
        self._numbers: dict[str, int] = {}

    # Workers

    def attach(self, session: str, seen: int = 0, window_bytes: int = 1 << 20) -> Ear:
        ear = self.ears[session] = Ear(session)
        self.host.attach(ear, Attach(session, seen, window_bytes), self.now)
        self.turn()
        return ear

    def hang_up(self, ear: Ear) -> None:
        self.host.left(ear, self.now)
        self.turn()

    def say(self, session: str, *commands: wire.Command, number: int | None = None) -> None:
        if number is None:
            number = self._numbers[session] = self._numbers.get(session, 0) + 1
        self.host.carry_out(Commands(session, number, commands), self.now)
        self.turn()

    def submit(self, session: str, handle: int, id: str = "g", **more: Any) -> None:
        """Submit one generation."""
        asked = {"partition": "q/0", "epoch": 1, "surface": "chat", "body": b"{}"} | more
        self.say(session, Submit(handle=handle, id=id, **asked))

    def adopt(self, session: str, handle: int, rows: list[Row], id: str = "g", **more: Any) -> None:
        """Adopt one after the frames `rows`."""
        self.say(session, adoption(handle, rows, id, **more))

    # The engine

    def gain(self, id: str, *tokens: int, choice: int = 0, delta: bytes = b"x", finish: str = "") -> None:
        """Let a generation gain a frame."""
        run = self.host.runs[id]
        self.pending.setdefault(run, []).append((choice, list(tokens), delta, finish))
        self.host.gained([run])

    def finish(self, id: str) -> None:
        """Let a generation end, after what it gained."""
        self.running.pop(self.host.runs[id].key)
        run = self.host.runs[id]
        run.words = "over"
        self.host.stopped(run)
        self.host.gained([run])

    # Time

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and have everything done that is to be done."""
        self.now += seconds
        for run in chain.from_iterable(self.host.ready()):
            rows = self.pending.pop(run, [])
            self.host.say([run] * len(rows), rows, self.now)
            if run.words == "over" and run.ending is None:
                self.host.end(run, USAGE, None)
        self.host.flush(self.now)
        self.host.tick(self.now)
        for effect in self.host.drain():
            self._do(effect)

    def _do(self, effect: Start | Abort | Fail | Send) -> None:
        match effect:
            case Start():
                self.running[effect.run.key] = effect.run
            case Abort():
                for key in effect.keys:
                    del self.running[key]
                    self.aborted.append(key.split("#")[0])
            case Fail():
                del self.running[effect.run.key]
                self.failing.append(effect)
            case Send():
                assert not effect.place.final
                effect.place.messages += [wire.decode_message(data) for data in effect.messages]
                effect.place.final = effect.final


def adoption(handle: int, rows: list[Row], id: str = "g", **more: Any) -> Adopt:
    """Ask for a generation after the frames `rows`."""
    tokens: dict[int, list[int]] = {}
    for choice, gained, _, _ in rows:
        tokens.setdefault(choice, []).extend(gained)
    asked: dict[str, Any] = {
        "partition": "q/0",
        "epoch": 2,
        "next": {choice: len(each) for choice, each in tokens.items()},
        "digest": wire.tokens_digest(tokens),
        "pieces": len(rows),
    }
    return Adopt(handle=handle, id=id, **(asked | more))
