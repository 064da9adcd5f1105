"""Records as bytes. Each starts with a version byte, so that old and new processes can share a log.

A queue record and a head are MessagePack maps: fields that a reader does not know are skipped. The frames of one
engine step travel together in one record of columns, whose content (token ids and what clients are shown) is one
separate byte string, so that it can be sealed without touching what the ledger counts.

    0x01 'Q' map                          a queue record
    0x01 'H' map                          a head
    0x01 'F' [columns…, content]          frames; content is [flat token ids, deltas]
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec
from msgspec import Struct, msgpack

from inferno_core.records import Final, Frame, Head, QueueRecord, ReplyRecord

VERSION = 1
MAX_RECORD_BYTES = 1 << 20
"""What one record of frames may hold, in bytes. A step with more is split."""

_FRAME_BYTES = 256
"""An upper bound on a frame's share of the columns, in bytes, besides its id, tokens and delta."""

_QUEUE = bytes((VERSION, ord("Q")))
_HEAD = bytes((VERSION, ord("H")))
_FRAMES = bytes((VERSION, ord("F")))


class MalformedRecord(ValueError):
    """These bytes are no record of this log: they are skipped and counted, never guessed at."""


class _Content(Struct, array_like=True, frozen=True):
    """The words: `tokens` of all frames one after the other, `deltas` one a frame."""

    tokens: list[int]
    deltas: list[bytes]


class _Columns(Struct, array_like=True, frozen=True):
    """Frames by column. `ids` and `epochs` have an entry a generation, the next four one a frame.

    `finishes` and `finals` are sparse: pairs of a frame's row and its value.
    """

    ids: list[str]
    epochs: list[int]
    rows: list[int]
    choices: list[int]
    indexes: list[int]
    counts: list[int]
    finishes: list[tuple[int, str]]
    finals: list[tuple[int, Final]]
    content: bytes


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_encoder = msgpack.Encoder()
_queue_decoder: msgpack.Decoder[QueueRecord] = msgpack.Decoder(QueueRecord)
_head_decoder = msgpack.Decoder(Head)
_columns_decoder = msgpack.Decoder(_Columns)
_content_decoder = msgpack.Decoder(_Content)


def encode_queue(record: QueueRecord) -> bytes:
    """Encode one record of the queue topic."""
    return _QUEUE + _encoder.encode(record)


def decode_queue(data: bytes) -> QueueRecord:
    """Decode one record of the queue topic; raises `MalformedRecord`."""
    _expect(data, _QUEUE)
    try:
        return _queue_decoder.decode(memoryview(data)[2:])
    except _UNREADABLE as error:
        raise MalformedRecord(str(error)) from error


def encode_head(head: Head) -> bytes:
    """Encode a head, which is a record of the reply topic by itself."""
    return _HEAD + _encoder.encode(head)


def encode_frames(frames: Iterable[Frame]) -> list[bytes]:
    """Encode frames, in order, into as few records as `MAX_RECORD_BYTES` allows. None gives none."""
    return [_encode_columns(part) for part in _split(frames)]


def decode_reply(data: bytes) -> list[ReplyRecord]:
    """Decode one record of the reply topic into a head or its frames, in order; raises `MalformedRecord`."""
    kind = bytes(data[:2])
    try:
        if kind == _HEAD:
            return [_head_decoder.decode(memoryview(data)[2:])]
        _expect(data, _FRAMES)
        columns = _columns_decoder.decode(memoryview(data)[2:])
        return list(_frames(columns, _content_decoder.decode(columns.content)))
    except _UNREADABLE as error:
        raise MalformedRecord(str(error)) from error


def _expect(data: bytes, prefix: bytes) -> None:
    if bytes(data[:2]) != prefix:
        raise MalformedRecord(f"a record that starts with {bytes(data[:2])!r}, where {prefix!r} was expected")


def _split(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    part: list[Frame] = []
    size = 0
    for frame in frames:
        weight = _FRAME_BYTES + len(frame.id) + 5 * len(frame.tokens) + len(frame.delta)
        if part and size + weight > MAX_RECORD_BYTES:
            yield part
            part, size = [], 0
        part.append(frame)
        size += weight
    if part:
        yield part


def _encode_columns(frames: Sequence[Frame]) -> bytes:
    lives: dict[tuple[str, int], int] = {}
    rows = [lives.setdefault((frame.id, frame.epoch), len(lives)) for frame in frames]
    content = _Content(
        tokens=[token for frame in frames for token in frame.tokens],
        deltas=[frame.delta for frame in frames],
    )
    columns = _Columns(
        ids=[id for id, _ in lives],
        epochs=[epoch for _, epoch in lives],
        rows=rows,
        choices=[frame.choice for frame in frames],
        indexes=[frame.index for frame in frames],
        counts=[len(frame.tokens) for frame in frames],
        finishes=[(row, frame.finish) for row, frame in enumerate(frames) if frame.finish is not None],
        finals=[(row, frame.final) for row, frame in enumerate(frames) if frame.final is not None],
        content=_encoder.encode(content),
    )
    return _FRAMES + _encoder.encode(columns)


def _frames(columns: _Columns, content: _Content) -> Iterator[Frame]:
    _check(columns, content)
    finishes = dict(columns.finishes)
    finals = dict(columns.finals)
    ends = accumulate(columns.counts)
    for row, (life, end) in enumerate(zip(columns.rows, ends, strict=True)):
        yield Frame(
            id=columns.ids[life],
            epoch=columns.epochs[life],
            choice=columns.choices[row],
            index=columns.indexes[row],
            tokens=content.tokens[end - columns.counts[row] : end],
            delta=content.deltas[row],
            finish=finishes.get(row),
            final=finals.get(row),
        )


def _check(columns: _Columns, content: _Content) -> None:
    """Refuse columns that do not fit each other."""
    rows = len(columns.rows)
    same = rows == len(columns.choices) == len(columns.indexes) == len(columns.counts) == len(content.deltas)
    if not same or len(columns.ids) != len(columns.epochs):
        raise MalformedRecord("columns of different lengths")
    if any(not 0 <= life < len(columns.ids) for life in columns.rows):
        raise MalformedRecord("a frame of a generation that the record does not name")
    if (
        min(columns.counts, default=0) < 0
        or min(columns.indexes, default=0) < 0
        or min(columns.choices, default=0) < -1
    ):
        raise MalformedRecord("a negative count, index or choice")
    if sum(columns.counts) != len(content.tokens):
        raise MalformedRecord("counts that do not add up to the tokens")
    sparse = [row for row, _ in columns.finishes] + [row for row, _ in columns.finals]
    if any(not 0 <= row < rows for row in sparse):
        raise MalformedRecord("a finish or an end of a frame that is not there")
