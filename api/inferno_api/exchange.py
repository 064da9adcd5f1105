"""What is known of one request while it is answered: log line, metrics, spans and headers are all made from it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from starlette.types import Scope

from inferno_api.telemetry.histogram import Series
from inferno_core.acceptance import Accepted
from inferno_core.records import Final, Head, Surface
from inferno_core.trace import TraceContext
from inferno_stream.edge import Draft

PARAMETERS = ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "seed", "max_tokens", "n")
"""The parameters that spans tell: numbers alone, never content."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer. Times are of `time.perf_counter`, in seconds, and None until that has happened.

    `trace` is the request's own span and `parent` its caller's. `model` and `version` are names of the catalogue's,
    never what a client wrote. `read` is when the body had come in, `admitted` when the request stood in the log, `head`
    the first worker's, `first` and `last` when words came, `gaps` observes the time between. `outcome` is how the
    generation ended, or its reader; `code` the error's that the client was told. `taken` is called when an engine has
    the request.
    """

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    started_ns: int = field(default_factory=time.time_ns)
    trace: TraceContext | None = None
    parent: TraceContext | None = None
    status: int = 499
    code: str = ""
    key_prefix: str = ""
    surface: Surface | None = None
    model: str = ""
    version: str = ""
    stream: bool = False
    parameters: dict[str, float] = field(default_factory=dict[str, float])
    generation_id: str = ""
    read: float | None = None
    admitted: float | None = None
    head: Head | None = None
    takeovers: int = 0
    first: float | None = None
    last: float | None = None
    gaps: Series | None = None
    frames: int = 0
    final: Final | None = None
    finishes: tuple[str, ...] = ()
    outcome: str = ""
    taken: Callable[[], None] = lambda: None

    @property
    def traceparent(self) -> str:
        """What those who work for this request are to be told of its trace, as W3C's header says it; or nothing."""
        context = self.trace or self.parent
        return context.traceparent if context is not None else ""

    @property
    def overhead_s(self) -> float | None:
        """How long the platform took from having the request to its standing in the log."""
        return None if self.admitted is None else self.admitted - (self.started if self.read is None else self.read)

    def opened(self, draft: Draft, body: Struct, *, stream: bool) -> None:
        """Note what is asked for, once it is admitted."""
        self.surface, self.model, self.version, self.stream = draft.surface, draft.model, draft.version, stream
        if self.trace is not None and self.trace.sampled:
            asked = {name: getattr(body, name, None) for name in PARAMETERS}
            self.parameters = {name: value for name, value in asked.items() if isinstance(value, int | float)}

    def began(self, head: Head) -> None:
        """Note that a worker speaks: the first one, or one that took over."""
        if self.head is None:
            self.head = head
            self.taken()
        else:
            self.takeovers += 1

    def heard(self, frames: Sequence[Accepted]) -> None:
        """Note what came of the generation, once for what a batch of the log has of it."""
        self.frames += len(frames)
        spoke = False
        for frame, index in frames:
            spoke = spoke or index >= 0
            if frame.finish is not None:
                self.finishes += (frame.finish,)
            if frame.final is not None:
                self.final = frame.final
                self.outcome = frame.final.outcome.value
        if spoke:
            self._spoke(time.perf_counter())

    def _spoke(self, now: float) -> None:
        if self.last is None:
            self.first = now
        elif self.gaps is not None:
            self.gaps.observe(now - self.last)
        self.last = now


def of(scope: Scope) -> Exchange:
    """Give the exchange that a connection's scope belongs to."""
    exchange: Exchange = scope["exchange"]
    return exchange
