"""One request's way through engines: where it runs, which of its frames are not in the log yet, and its deadlines."""

import asyncio
import logging
import math
import time
from collections import deque
from typing import Protocol

from msgspec.structs import replace

from inferno_core import trace
from inferno_core.effects import EngineFrame
from inferno_core.errors import InfernoError, InvalidRequest, Unavailable
from inferno_core.records import Failure, Final, Outcome, Request
from inferno_stream.engine import Engine, Flight, HostLeft, HostLost, Order, Place, Receipt
from inferno_stream.spans import Journey

logger = logging.getLogger(__name__)

_MOST_DEATHS = 3
"""An engine that dies with a generation may have died of it: so often it may happen."""
_MOST_VAIN = 8
"""So many places in a row may turn out to have not a word for it."""


class Driver(Protocol):
    """Who drives runs."""

    def on_frame(self, run: "Run", frame: EngineFrame) -> None:
        """Take what a run says."""
        ...

    def on_lost(self, run: "Run") -> None:
        """Take the news that a run has no place any more."""
        ...

    def on_failed(self, run: "Run", final: Final) -> None:
        """Take the news that a run failed, and how its generation ends by that."""
        ...


class Run:
    """Holds a `place` for `request`; once started there, passes its frames on to `driver` as they come.

    Without a place it waits for another: its engine was lost. `given` says that there are words to go on from; `ended`
    is set with the final frame. `waited_ms` is how long the request had stood in the queue when this was made, and
    `journey` tells of it in traces.
    """

    __slots__ = (
        "_began",
        "_deaths",
        "_driver",
        "_engine",
        "_flight",
        "_heard",
        "_spoke",
        "_unsettled",
        "_vain",
        "ended",
        "given",
        "journey",
        "place",
        "request",
        "waited_ms",
    )

    def __init__(self, engine: Engine, request: Request, place: Place, driver: Driver, journey: Journey) -> None:
        self.request = request
        self.journey = journey
        # The clock that says when it was made may be another machine's.
        self.waited_ms = max(0, int(time.time() * 1000) - request.created_ms)
        self.place: Place | None = place
        self.given = False
        self.ended = False
        self._engine = engine
        self._driver = driver
        self._flight: Flight | None = None
        self._unsettled: deque[Receipt] = deque()
        self._began = self._heard = math.inf
        self._spoke = False
        self._deaths: set[str] = set()
        self._vain = 0

    def start(self, order: Order) -> None:
        """Begin or go on at the place."""
        assert self.place is not None
        self._began = self._heard = asyncio.get_running_loop().time()
        self._spoke = False
        if order.history is not None and order.history.frames:
            self.given = True
        order = replace(order, trace=self.journey.at(order, self.place))
        try:
            self._flight = self._engine.start(order, self.place, self)
        except HostLost as error:
            self.failed(error)

    def heard(self, frame: EngineFrame, receipt: Receipt) -> None:
        """Pass a frame on."""
        self._unsettled.append(receipt)
        self._heard = receipt.at
        self.given = True
        if frame.tokens and not self._spoke:
            self._spoke = True
            self.journey.spoke()
        if frame.final is not None:
            self.ended = True
            self.journey.end(frame.final)
        self._driver.on_frame(self, frame)

    def failed(self, error: InfernoError) -> None:
        """Wait for another place, or give up."""
        place, self.place, self._flight = self.place, None, None
        self._settle_all()
        self._began = asyncio.get_running_loop().time()
        if place is not None and isinstance(error, HostLost) and not isinstance(error, HostLeft):
            self._deaths.add(place.incarnation)
        self._vain = 0 if self._spoke else self._vain + 1
        movable = place is None or place.goes_on or not self.given
        lost = isinstance(error, HostLost | Unavailable)
        self._log_failure(error, place)
        if lost and movable and len(self._deaths) < _MOST_DEATHS and self._vain < _MOST_VAIN:
            self.journey.lost(error.code)
            self._driver.on_lost(self)
        else:
            final = Final(Outcome.FAILED, Failure(error.code, error.message, error.param))
            self.journey.end(final)
            self._driver.on_failed(self, final)

    def acknowledged(self, _: int) -> None:
        """The log has the oldest of the frames that it did not have."""
        if self._unsettled:
            self._unsettled.popleft().settle()

    def cancel(self) -> None:
        """End it on the engine; nothing more is passed on."""
        self.journey.left(Outcome.CANCELLED.value)
        if self._flight is not None:
            self._flight.cancel()
        self._leave()

    def release(self) -> None:
        """Let it go, for another owner to adopt; nothing more is passed on."""
        self.journey.left("released")
        if self._flight is not None:
            self._flight.release()
        self._leave()

    def overdue(self, now: float) -> str | None:
        """Say which phase has lasted too long at `now`, in the loop's time."""
        deadlines = self.request.deadlines
        if self.place is None:
            waited = now - self._began
            return f"no engine went on with it within {waited:.1f} s" if waited > deadlines.queue_s else None
        if self.ended or self._flight is None:
            return None
        if self._flight.blocked:
            # The log takes no more just now; the engine is not to blame for that time.
            self._heard = now
        elif not self._spoke and now - self._began > deadlines.first_token_s:
            return f"no first token came within {deadlines.first_token_s:g} s"
        elif self._spoke and now - self._heard > deadlines.between_tokens_s:
            return f"no further token came within {deadlines.between_tokens_s:g} s"
        return None

    def _log_failure(self, error: InfernoError, place: Place | None) -> None:
        """Say which generation an engine failed at; the request's own faults are told to its client alone."""
        if not isinstance(error, InvalidRequest):
            context = trace.parse(self.request.trace)
            facts = {
                "generation_id": self.request.id,
                "trace_id": context.trace_id if context is not None else "",
                "code": error.code,
                "host": place.host if place is not None else "",
                "losses": len(self._deaths),
            }
            logger.warning("an engine failed at a generation", extra={"facts": facts})

    def _leave(self) -> None:
        if self._flight is None and self.place is not None:
            self._engine.release(self.place)
        self.place = self._flight = None
        self.ended = True
        self._settle_all()

    def _settle_all(self) -> None:
        """Frames that no one will say must not hold back what stands in the log."""
        while self._unsettled:
            self._unsettled.popleft().settle()
