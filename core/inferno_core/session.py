"""What a worker and an engine's host say to each other in a session, and its bytes.

The worker's *attach* request carries `Attach`; on it the host answers with `Message`, one an engine step. The worker's
*control* requests carry `Commands`. All are MessagePack arrays; frames travel in columns, so that a step costs little
more than its words. docs/engine.md tells the protocol.
"""

import hashlib
import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from inferno_core.records import Failure, Phases, Surface, Usage

ATTACH_INPUT = "session_attach"
COMMANDS_INPUT = "session_commands"
MESSAGE_OUTPUT = "session"
HEARTBEAT_S = 1.0
GRACE_S = 10.0
"""For how long a host keeps what a session let go of, or was lost with, for another session to adopt."""

MOST_SLOTS = 4096
"""How many choices one generation has at most."""

Choice = Annotated[int, Meta(ge=0, lt=MOST_SLOTS)]
Token = Annotated[int, Meta(ge=0, lt=1 << 31)]
Count = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Piece(Struct, frozen=True, array_like=True):
    """A frame that was accepted: the boundaries with which a generation was told matter for going on with it."""

    choice: Choice
    tokens: tuple[Token, ...]
    finish: str | None = None


class Fence(Struct, frozen=True, array_like=True, tag="fence"):
    """From now on, nobody with a lower epoch, and no other session, commands generations of `partition` here."""

    partition: str
    epoch: int


class Submit(Struct, frozen=True, array_like=True, tag="submit"):
    """Begin a generation, or go on with it after the frames `accepted`, in their order. Fences as `Fence` does.

    `handle` names it in this session, and is never used again. `partition` is that of its request, as `log/topic/p`:
    epochs of two logs are not to be compared.
    `slots` is how many choices it has. Lower `priority` goes first. `deadline_s` from now it is ended (0: never);
    `allowance` is the most tokens that each choice may have, those of `accepted` included (None: what fits).
    An older run of the same `id` is replaced.
    """

    handle: int
    id: str
    partition: str
    epoch: int
    surface: Surface
    body: bytes
    slots: Annotated[int, Meta(ge=1, le=MOST_SLOTS)] = 1
    priority: int = 0
    deadline_s: float = 0.0
    allowance: int | None = None
    accepted: tuple[Piece, ...] = ()


class Adopt(Struct, frozen=True, array_like=True, tag="adopt"):
    """Take over a generation that runs here, after `next` tokens of each choice, whose `digest` is that of the tokens
    accepted. Answered with an `Adoption`; its unacknowledged frames come again, with the same boundaries. Fences.

    `pieces` is how many frames were accepted, of all choices: `next` alone can't tell those without tokens apart (-1:
    go by `next`).
    """

    handle: int
    id: str
    partition: str
    epoch: int
    next: dict[Choice, Count]
    digest: bytes
    pieces: int = -1


class Cancel(Struct, frozen=True, array_like=True, tag="cancel"):
    """End generations, running or waiting. Nothing more is said of them."""

    handles: tuple[int, ...]


class Release(Struct, frozen=True, array_like=True, tag="release"):
    """Let go of generations: they run on, and who adopts them within the grace has them."""

    handles: tuple[int, ...]


class Ack(Struct, frozen=True, array_like=True, tag="ack"):
    """What was said up to message `number` stands in the log, and need not be kept."""

    number: int


Command = Fence | Submit | Adopt | Cancel | Release | Ack


class Commands(Struct, frozen=True, array_like=True):
    """Worker → host, in one request of the control stream. `number` counts a session's batches, from 1."""

    session: str
    number: int
    commands: tuple[Command, ...]


class Attach(Struct, frozen=True, array_like=True):
    """Worker → host: opens a session, or goes on with it after message `seen` (0: none was read).

    `window_bytes` is how much may be unacknowledged before the host says no more words.
    """

    session: str
    seen: int = 0
    window_bytes: int = 8 << 20


class Hello(Struct, frozen=True, array_like=True):
    """The first thing on an attach. `life` names this process of the backend; `fresh` says that it did not know the
    session, so that nothing runs for it.
    """

    life: str
    fresh: bool


class Frames(Struct, array_like=True):
    """The frames of one message, a row each, in columns. `tokens` has those of all rows, `counts` of each.

    `deltas` are OpenAI's choice objects as JSON. `finishes` has the rows that end their choice, and why.
    """

    handles: list[int]
    choices: list[int]
    counts: list[int]
    tokens: list[int]
    deltas: list[bytes]
    finishes: dict[int, str]


class Ending(Struct, frozen=True, array_like=True):
    """A generation is over, after the frames of the same message: with `usage`, or with a `failure`."""

    handle: int
    usage: Usage | None = None
    failure: Failure | None = None
    phases: Phases | None = None


class Adoption(Struct, frozen=True, array_like=True):
    """Answers an `Adopt`. Unless `resumed`, nothing runs any longer: it must be rebuilt from its tokens."""

    handle: int
    resumed: bool


class Message(Struct, frozen=True, array_like=True):
    """Host → worker. `number` counts, from 1, the messages of a session that have words or answers, which are kept
    until acknowledged; it is 0 for heartbeats.

    `heard` is the last batch of commands that was carried out, `room` how many more choices the host takes from this
    session after that. `adoptions` come before `frames`, `endings` after. `bye` is set on the last message of an
    attach: `rotate` (attach again), `replaced` (another attach of this session came) or `retiring` (the model is
    unloaded: what runs was said to its end, and nothing new is taken). `at` is when the last engine step ended of which
    it tells, by the host's monotonic clock.
    """

    number: int
    heard: int
    room: int
    hello: Hello | None = None
    adoptions: tuple[Adoption, ...] = ()
    frames: Frames | None = None
    endings: tuple[Ending, ...] = ()
    bye: str = ""
    at: float = 0.0


_encoder = msgspec.msgpack.Encoder()
_attaches = msgspec.msgpack.Decoder(Attach)
_commands = msgspec.msgpack.Decoder(Commands)
_messages = msgspec.msgpack.Decoder(Message)


def encode(said: Attach | Commands | Message) -> bytes:
    """Give the bytes of what is said."""
    return _encoder.encode(said)


def decode_attach(data: bytes) -> Attach:
    """Read an attach. Raises msgspec.DecodeError."""
    return _attaches.decode(data)


def decode_commands(data: bytes) -> Commands:
    """Read a batch of commands. Raises msgspec.DecodeError."""
    return _commands.decode(data)


def decode_message(data: bytes) -> Message:
    """Read a message. Raises msgspec.DecodeError."""
    return _messages.decode(data)


def tokens_digest(tokens: Mapping[int, Sequence[int]]) -> bytes:
    """Digest the tokens of each choice, so that a worker and a host can see that they mean the same words."""
    digest = hashlib.blake2b(digest_size=16)
    for choice in sorted(tokens):
        digest.update(struct.pack("<II", choice, len(tokens[choice])))
        digest.update(array("i", tokens[choice]).tobytes())
    return digest.digest()
