"""What passes between the owner of a request partition and its shell: places, frames of the engine, and effects.

An effect is something that the owner wants done; the shell carries effects out in their order.
"""

from msgspec import Struct

from inferno_core.acceptance import History
from inferno_core.records import Final, QueueRecord, ReplyRecord, Request


class Committed(Struct, frozen=True):
    """A place in p below which everything is done, and the highest epoch that stands before it (-1: none)."""

    offset: int = 0
    epoch: int = -1


class EngineFrame(Struct, frozen=True):
    """A frame as the engine gives it, before its owner says whose it is and where it stands."""

    choice: int
    tokens: tuple[int, ...]
    delta: bytes
    finish: str | None = None
    final: Final | None = None


class AppendQueue(Struct, frozen=True):
    """Append to p."""

    record: QueueRecord


class AppendReply(Struct, frozen=True):
    """Append to reply partition `r`, after all that was appended there before, by the same producer.

    The shell answers with `head_acked` or, for a final frame, `final_acked`.
    """

    r: int
    record: ReplyRecord


class ReadFrom(Struct, frozen=True):
    """Feed every record of p to `read`, from `offset` on."""

    offset: int


class Start(Struct, frozen=True):
    """Begin the request on an engine; its frames go to `frame`."""

    request: Request


class Resume(Struct, frozen=True):
    """Let an engine go on after what was accepted; its frames go to `frame`."""

    request: Request
    history: History


class Stop(Struct, frozen=True):
    """End the request's run on its engine, if it has one."""

    id: str


class Scan(Struct, frozen=True):
    """Read reply partition `r` from `start` up to and including `stop`, and answer with `scanned`."""

    id: str
    r: int
    start: int
    stop: int


class Linger(Struct, frozen=True):
    """No one listens any more: call `linger_over` after `grace_s` seconds."""

    id: str
    grace_s: float


class StepDown(Struct, frozen=True):
    """Forget this partition object. If the group still assigns p, begin again with a new one, hence a new epoch."""

    reason: str


Effect = AppendQueue | AppendReply | ReadFrom | Start | Resume | Stop | Scan | Linger | StepDown
