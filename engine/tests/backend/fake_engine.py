"""An engine that is played by hand."""

import threading
import time
from collections.abc import Callable, Sequence

from inferno_backend.seam import MOST_TOKENS, Call, Choice, Gain, OpenAICall, Reply, Stats, Usage
from inferno_backend.tray import Tray

from inferno_core.errors import InfernoError


class Words:
    """Renders gains by what it is given for that. It joins what is raw, and notes how often; not if it is `apart`."""

    most = MOST_TOKENS

    def __init__(self, words: Callable[[Sequence[Gain]], Sequence[Choice]], *, apart: bool = False) -> None:
        self._words = words
        self._apart = apart
        self.joined = 0
        self.changed = threading.Condition()

    def __call__(self, gains: Sequence[Gain]) -> Sequence[Choice]:
        return self._words(gains)

    def join(self, gain: Gain, following: Gain) -> Gain | None:
        if self._apart:
            return None
        with self.changed:
            self.joined += 1
            self.changed.notify_all()
        return following._replace(tokens=(*gain.tokens, *following.tokens), raw=gain.raw + following.raw)


def _spelt(gains: Sequence[Gain]) -> list[Choice]:
    """Put what is raw together."""
    tokens = [token for gain in gains for token in gain.tokens]
    return [Choice(gains[0].index, tokens, "".join(gain.raw for gain in gains).encode(), gains[-1].finish)]


spelt = Words(_spelt)


class FakeEngine:
    """Runs what it is asked for until told what to say. `refuses` is what every start fails with, if anything.

    It ignores cancellations of what it does not know, as engines do; `start` waits for `gate` for a moment.
    """

    context = 100
    tasks = ("chat",)

    def __init__(self, slots: int = 8) -> None:
        self.slots = slots
        self.stats = Stats(last_step=time.monotonic())
        self.dead: str | None = None
        self.refuses: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.calls: dict[str, Call] = {}
        self.replies: dict[str, Reply] = {}
        self.render: Words = spelt
        self.cancelled: list[str] = []
        self.changed = threading.Condition()
        self.closed = False
        self.stepped: Callable[[], None] = lambda: None

    def open(self, stepped: Callable[[], None]) -> None:
        self.stepped = stepped

    def start(self, call: Call, reply: Reply) -> None:
        # A client that is gone already would be noticed within this time.
        self.gate.wait(0.3)
        if isinstance(self.refuses, InfernoError):
            reply.fail(self.refuses)
            self.stepped()
            return
        if self.refuses is not None:
            raise self.refuses
        reply.begin(self.render)
        with self.changed:
            self.calls[call.id] = call
            self.replies[call.id] = reply
            self.changed.notify_all()

    def cancel(self, ids: Sequence[str]) -> None:
        with self.changed:
            known = [id for id in ids if self.replies.pop(id, None) is not None]
            self.cancelled += known
            self.changed.notify_all()

    def close(self) -> None:
        self.closed = True

    # What a test has it do

    def until(self, fact: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(fact, 5)

    def key(self, id: str) -> str:
        """Wait for a generation to begin; give the name that the engine knows it by."""
        self.until(lambda: any(key.split("#")[0] == id for key in self.replies))
        return next(key for key in self.replies if key.split("#")[0] == id)

    def call(self, id: str) -> OpenAICall:
        call = self.calls[self.key(id)]
        assert isinstance(call, OpenAICall)
        return call

    def tray(self, id: str) -> Tray:
        """Give what an engine sees of whoever asks."""
        tray = self.replies[self.key(id)]
        assert isinstance(tray, Tray)
        return tray

    def say(self, id: str, *words: str, finish: str = "") -> None:
        """Let one choice gain words, a token each, and end the step."""
        reply = self.replies[self.key(id)]
        for place, word in enumerate(words):
            reply.put(Gain(0, (len(word),), word, finish if place == len(words) - 1 else ""))
        self.stepped()

    def end(self, id: str) -> None:
        self.replies.pop(self.key(id)).end(Usage(1, 2))
        self.stepped()

    def fail(self, id: str, error: InfernoError) -> None:
        self.replies.pop(self.key(id)).fail(error)
        self.stepped()
