"""The records of the token log: what stands in `inferno-queue` and in `inferno-response-queue`.

The queue holds the life of requests (request, epoch, claim, attach, detach, cancel, done), the reply topic
holds the words (head, frame). The protocol is told in docs/token-log.md; `ownership` and `acceptance` are its rules.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct

Surface = Literal["chat", "completion", "embedding"]


class Tenant(Struct, frozen=True):
    """Who asks and who pays. All three are UUIDs as strings."""

    organisation: str
    project: str
    key: str


class Deadlines(Struct, frozen=True):
    """How long each phase may take, in seconds."""

    queue_s: float = 300.0
    first_token_s: float = 120.0
    between_tokens_s: float = 60.0
    whole_s: float = 3600.0


class Request(Struct, frozen=True, tag="request"):
    """A generation that is asked for. Written by the API; its producer (`reader`) is its first reader.

    `body` is the OpenAI body as JSON, as the engine gets it. `created_ms` is Unix time in milliseconds. `again` is
    set if the record may have been sent before. `max_tokens` is the allowance of each choice, or None for what fits.
    Lower `priority` goes first. `trace` is the W3C traceparent of the span that asks, or empty.
    """

    id: str
    surface: Surface
    body: bytes
    model: str
    version: str
    tenant: Tenant
    reader: str
    created_ms: int
    seed: int
    n: int = 1
    max_tokens: int | None = None
    include_usage: bool = False
    deadlines: Deadlines = Deadlines()
    grace_s: float = 0.0
    store: Literal["none", "metadata", "full"] = "none"
    cache: bool = False
    price: str = ""
    again: bool = False
    priority: int = 0
    trace: str = ""

    @property
    def slots(self) -> int:
        """How many of an engine's places it takes for long: one a choice; texts that are embedded pass through one."""
        return 1 if self.surface == "embedding" else self.n


class Epoch(Struct, frozen=True, tag="epoch"):
    """A worker begins to own the partition. The offset of this record is its epoch there."""

    worker: str
    nonce: str


class Claim(Struct, frozen=True, tag="claim"):
    """A worker will speak for `id`, once it has read this back. `host` and `incarnation` hint at the engine."""

    id: str
    epoch: int
    host: str = ""
    incarnation: str = ""


class Attach(Struct, frozen=True, tag="attach"):
    """`reader` (one a connection) listens to `id`."""

    id: str
    reader: str


class Detach(Struct, frozen=True, tag="detach"):
    """`reader` listens no longer."""

    id: str
    reader: str


class Cancel(Struct, frozen=True, tag="cancel"):
    """`by` wants `id` to end."""

    id: str
    by: str
    reason: str = ""


class Outcome(StrEnum):
    """How a generation ended. There is exactly one for each request."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    OVER_BUDGET = "over_budget"
    POISONED = "poisoned"
    HISTORY_EXPIRED = "history_expired"


class Done(Struct, frozen=True, tag="done"):
    """`id` has its final frame. Valid if no higher epoch stands before it."""

    id: str
    epoch: int
    outcome: Outcome


QueueRecord = Request | Epoch | Claim | Attach | Detach | Cancel | Done


class Head(Struct, frozen=True, tag="head"):
    """A worker begins, or goes on, to speak for `id`: all that ledger and renderers need to know of it.

    A head after an id's first is a takeover. `created` is Unix time in seconds. `waited_ms` is how long the request had
    stood in the queue when an engine took it.
    """

    id: str
    epoch: int
    surface: Surface
    created: int
    n: int
    include_usage: bool
    tenant: Tenant
    price: str
    model: str
    version: str
    fingerprint: str
    waited_ms: int = 0


class Usage(Struct, frozen=True):
    """What the engine counted, in tokens."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Failure(Struct, frozen=True):
    """Why a generation failed: a code of `errors`, a sentence for people, and the field at fault."""

    code: str
    message: str
    param: str | None = None


class Phases(Struct, frozen=True):
    """How long a generation was in each phase at the engine that ended it, in seconds."""

    queued_s: float
    prefill_s: float
    decode_s: float


class Final(Struct, frozen=True):
    """The end of a generation. `usage` and `phases` are None where the engine could give none."""

    outcome: Outcome
    failure: Failure | None = None
    usage: Usage | None = None
    phases: Phases | None = None


class Frame(Struct, frozen=True):
    """Tokens of one choice, from one engine step or several, with what clients are shown of them.

    `index` is the position of the first of `tokens` in its choice; `delta` is OpenAI's choice object as JSON.
    `finish` is set on the choice's last frame, `final` on the generation's last one, which may have no tokens, hence
    no choice (-1).
    """

    id: str
    epoch: int
    choice: int
    index: int
    tokens: Sequence[int]
    delta: bytes
    finish: str | None = None
    final: Final | None = None


ReplyRecord = Head | Frame


def final_frame(id: str, epoch: int, final: Final) -> Frame:
    """A generation's last frame that carries no words."""
    return Frame(id=id, epoch=epoch, choice=-1, index=0, tokens=(), delta=b"", final=final)
