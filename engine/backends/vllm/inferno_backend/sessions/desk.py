"""The desk: one thread that owns the sessions, puts into words what engines say, and sends it.

It carries out for the pure `Host` of inferno_core.hosting what that wants done. Whatever comes, from Triton or from the
engine, waits in an inbox; nobody who brings something ever waits for the desk.
"""

import logging
import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from inferno_backend.rendering import PUSH, SLOW_S, failure
from inferno_backend.seam import Engine
from inferno_backend.sessions.place import Place
from inferno_backend.sessions.speaker import SlowSpeaker, Spoken, speak
from inferno_backend.sessions.starter import Starter
from inferno_backend.tray import End, News, Tray, collect
from inferno_core.audience import Send
from inferno_core.errors import EngineFailed, EngineLost, InfernoError
from inferno_core.hosted import Run, Session
from inferno_core.hosting import Abort, Effect, Fail, Host, Start
from inferno_core.records import Usage
from inferno_core.session import Attach, Commands

POLL_S = 0.1
"""How often Triton is asked whether workers have gone, and looked what has to wait."""
MOST_WAITING = 1 << 18
"""How many gains may wait for a session that is told nothing, or less than it gains: 20 s of 256 generations.

One that can't be joined with others is a token with log-probabilities, and takes up to 6 KB; joined, it is 64 tokens.
"""

_WAKE_S = 0.05
_PASS_S = 0.01
_BEGIN_S = 0.005
_log = logging.getLogger(__name__)
_Work = Callable[[float], None]


class Desk:
    """The sessions at `engine`. `dismissed` is set once all have been taken leave of, after `retire`.

    `turns` counts those of its thread: several a second, whatever happens.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._host = Host(uuid.uuid4().hex, engine.slots)
        self._news: News = deque()
        self._inbox: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._away: set[Tray] = set()
        self._resting: list[Tray] = []
        self._leaving: list[Place] = []
        self._starter = Starter(engine, self._news, self.stepped)
        self._is_woken = False
        self._has_more = False
        self._closing = False
        self._look_at = 0.0
        self.turns = 0
        self.dismissed = threading.Event()
        self._slow = SlowSpeaker(lambda spoken: self._inbox.put(lambda now: self._said(spoken, now)))
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._thread.start()

    # What others bring, from any thread

    def stepped(self) -> None:
        """The engine may have said something."""
        if self._news and not self._is_woken:
            self._is_woken = True
            self._inbox.put(None)

    def attach(self, sender: Any, said: Attach) -> None:
        """A worker listens; it is answered through `sender`."""
        place = Place(sender)
        self._inbox.put(lambda now: self._host.attach(place, said, now))

    def command(self, said: Commands) -> None:
        """A worker commands."""
        self._inbox.put(lambda now: self._host.carry_out(said, now))

    def proven(self, asked_at: float) -> None:
        """Triton had the model in service at `asked_at` (monotonic)."""
        self._inbox.put(lambda now: self._host.audience.prove(asked_at))

    def retire(self, error: InfernoError | None = None) -> None:
        """Take nothing new, and take leave of workers once they were told all; what runs ends with `error` if given."""
        self._inbox.put(lambda now: self._retire(error))

    def works(self) -> bool:
        """Whether anything runs here."""
        return self._host.works

    def close(self, timeout_s: float) -> None:
        """Stop, within `timeout_s`."""
        self._closing = True
        self._inbox.put(None)
        self._slow.close()
        self._thread.join(timeout_s)

    # The thread

    def _run(self) -> None:
        while not self._closing or self._leaving:
            self.turns += 1
            try:
                self._turn()
            except Exception:
                # Whatever this was about, all other generations still have something to say.
                _log.exception("The desk failed at something.")

    def _turn(self) -> None:
        """Take what has come, say what can be said, and do what is to be done."""
        self._take()
        now = time.monotonic()
        self._hear()
        self._speak(now)
        self._look_around(now)
        stats, host = self._engine.stats, self._host
        # Who hears that a dead engine has lost a generation must not have it go on there.
        host.busy, host.crowded = stats.running, stats.waiting > 0 or self._engine.dead is not None
        host.flush(now)
        host.tick(now)
        for effect in host.drain():
            self._attend(partial(self._do, effect))
        self._has_more |= self._starter.begin(_BEGIN_S)
        if host.audience.retiring and not (host.audience.places or host.runs or self._leaving):
            self.dismissed.set()

    def _take(self) -> None:
        """Wait for something to come, and take all of it."""
        try:
            work = self._inbox.get(timeout=0 if self._has_more else _WAKE_S)
            while True:
                if work is not None:
                    self._attend(work)
                work = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _attend(self, work: _Work) -> None:
        try:
            work(time.monotonic())
        except Exception:
            _log.exception("The desk failed at one thing.")

    def _hear(self) -> None:
        """Remember of whom the engine has said something, and who has rested."""
        host = self._host
        if self._resting:
            host.gained([tray.owner for tray in self._resting])
            self._resting.clear()
        # Only what belongs to a step that is over, or it would be told in two responses.
        if not self._is_woken:
            return
        self._is_woken = False
        host.stepped_at = self._engine.stats.last_step
        trays = collect(self._news)
        for tray in trays:
            if tray.ending is not None:
                host.stopped(tray.owner)
        host.gained([tray.owner for tray in trays])

    def _speak(self, now: float) -> None:
        """Put into words what may be told now. A long backlog is told in several turns, so that nobody waits for it."""
        until = time.perf_counter() + _PASS_S
        for runs in self._host.ready():
            begun = time.perf_counter()
            self._tell(runs, now)
            ended = time.perf_counter()
            if ended - begun > SLOW_S:
                for run in runs:
                    _suspect(run)
            if ended > until:
                self._has_more = True
                return
        self._has_more = False

    def _tell(self, runs: Sequence[Run], now: float) -> None:
        """Say what runs of one session gained. This is done for each token, so what is usual is done straight."""
        said: list[Any] = []
        owners: list[Run] = []
        others: list[Tray] = []
        for run in runs:
            tray: Tray = run.words
            rendering = tray.rendering
            if rendering is None or rendering.is_suspect or tray.ending is not None or len(tray.gains) > PUSH:
                others.append(tray)
                continue
            gains, tray.gains = tray.gains, []
            try:
                words = rendering.render(gains)
            except Exception as error:
                self._fail(run, failure(error))
                continue
            said += words
            owners += [run] * len(words)
        self._host.say(owners, said, now)
        for tray in others:
            self._tell_with_care(tray, now)

    def _tell_with_care(self, tray: Tray, now: float) -> None:
        """Say what is in a tray, unless it is a slow one's: what that has is said elsewhere, when it has rested."""
        rendering = tray.rendering
        if tray in self._away:
            return
        if rendering is None or not rendering.is_slow or not tray.gains:
            self._said(speak(tray, tray.take(PUSH)), now)
        elif rendering.rested_at > now:
            self._resting.append(tray)
        else:
            self._away.add(tray)
            self._slow.take(tray, tray.take(rendering.render.most))

    def _said(self, spoken: Spoken, now: float) -> None:
        """Pass on what was put into words; and if there is no more to come, the end."""
        tray, words, error = spoken
        run: Run = tray.owner
        self._away.discard(tray)
        if run.ending is not None:
            return
        if words:
            self._host.say([run] * len(words), words, now)
        if error is not None:
            self._fail(run, error)
        elif tray.gains:
            self._host.gained([run])
        elif tray.ending is not None:
            self._end(run, tray.ending)

    def _fail(self, run: Run, error: InfernoError) -> None:
        """What the engine said can't be told."""
        self._starter.abort([run.key])
        run.words.drop()
        self._end(run, End(error=error))

    def _end(self, run: Run, ending: End) -> None:
        error = ending.error
        if isinstance(error, EngineFailed) and self._engine.dead is not None:
            error = EngineLost(error.message)
        used = ending.usage
        counted = None if used is None else Usage(used.prompt_tokens, used.completion_tokens, used.cached_tokens)
        self._host.end(run, counted, error, None if used is None else used.phases)

    def _look_around(self, now: float) -> None:
        if now < self._look_at:
            return
        self._look_at = now + POLL_S
        self._bound_what_waits()
        self._ask_who_left(now)

    def _bound_what_waits(self) -> None:
        """Fold what is not told; a session that has too much of it loses the youngest of its generations."""
        waiting: Counter[Session | None] = Counter()
        for run in self._host.runs.values():
            tray: Tray | None = run.words
            if tray is None or not tray.gains:
                continue
            waiting[run.session] += tray.fold()
            if waiting[run.session] > MOST_WAITING and run.ending is None:
                waiting[run.session] -= len(tray.gains)
                self._fail(run, EngineLost("Too many of this generation's words waited for its worker; try again."))

    def _ask_who_left(self, now: float) -> None:
        self._leaving = [place for place in self._leaving if not place.leave()]
        for place in self._host.audience.places:
            if place.is_cancelled():
                self._host.left(place, now)

    def _do(self, effect: Effect, now: float) -> None:
        match effect:
            case Send():
                if not effect.place.send(effect.messages, final=effect.final):
                    self._host.left(effect.place, now)
                    self._leaving += [effect.place] * effect.final
            case Start():
                self._starter.add(effect.run, effect.submit)
            case Abort():
                self._starter.abort(effect.keys)
            case Fail():
                self._starter.abort([effect.run.key])
                effect.run.words.fail(effect.error)
                self.stepped()

    def _retire(self, error: InfernoError | None) -> None:
        self._host.retire()
        if error is None:
            return
        self._starter.refusal = error
        for run in self._host.runs.values():
            if run.ending is None and run.words is not None:
                run.words.fail(error)
        self.stepped()


def _suspect(run: Run) -> None:
    """One of several may be slow."""
    if run.words is not None and run.words.rendering is not None:
        run.words.rendering.is_suspect = True
