"""What is known of one request while it is answered: log line, metrics, spans and headers are all made from it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

from inferno_core.acceptance import Accepted
from inferno_core.records import Final, Head, Surface
from inferno_core.trace import TraceContext


@dataclass(slots=True)
class Exchange:
    """One request and its answer. Times are of `time.perf_counter`, in seconds, and None until that has happened.

    `model` and `version` are names of the catalogue's, never what a client wrote. `outcome` is how the generation
    ended, or its reader; `code` the error's that the client was told.
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
    generation_id: str = ""
    admitted: float | None = None
    head: Head | None = None
    first: float | None = None
    last: float | None = None
    frames: int = 0
    final: Final | None = None
    outcome: str = ""

    def heard(self, frames: Sequence[Accepted]) -> None:
        """Note what came of the generation, once for what a batch of the log has of it."""
        now = time.perf_counter()
        self.frames += len(frames)
        if self.first is None and any(frame.token_index >= 0 for frame in frames):
            self.first = now
        self.last = now
        if (final := frames[-1].frame.final) is not None:
            self.final = final
            self.outcome = final.outcome.value


def of(scope: Scope) -> Exchange:
    """Give the exchange that a connection's scope belongs to."""
    exchange: Exchange = scope["exchange"]
    return exchange
