"""Records as bytes: nothing is lost, and malformed bytes are refused by name."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferno_core import codec
from inferno_core.records import (
    Attach,
    Cancel,
    Claim,
    Deadlines,
    Detach,
    Done,
    Epoch,
    Failure,
    Final,
    Frame,
    Head,
    Outcome,
    QueueRecord,
    Request,
    Tenant,
    Usage,
)

TENANT = Tenant("organisation", "project", "key")
HEAD = Head("g", 7, "chat", 1_700_000_000, 2, True, TENANT, "price", "model", "3", "fingerprint")
REQUEST = Request(
    id="g",
    surface="completion",
    body=b'{"prompt":"\xc3\xa9"}',
    model="model",
    version="3",
    tenant=TENANT,
    reader="reader",
    created_ms=1_700_000_000_000,
    seed=(1 << 63) - 1,
    max_tokens=5,
    deadlines=Deadlines(queue_s=1.5),
    again=True,
)

counts = st.integers(0, 1 << 40)
finals = st.builds(
    Final,
    outcome=st.sampled_from(Outcome),
    failure=st.none() | st.builds(Failure, st.text(), st.text(), st.none() | st.text()),
    usage=st.none() | st.builds(Usage, counts, counts, counts),
)
frames = st.builds(
    Frame,
    id=st.text(max_size=8),
    epoch=counts,
    choice=st.integers(-1, 127),
    index=counts,
    tokens=st.lists(st.integers(0, (1 << 32) - 1), max_size=4),
    delta=st.binary(max_size=20),
    finish=st.none() | st.text(max_size=10),
    final=st.none() | finals,
)


@pytest.mark.parametrize(
    "record",
    [
        REQUEST,
        Epoch("worker-0", "nonce"),
        Claim("g", 4, "triton-0", "i"),
        Attach("g", "r"),
        Detach("g", "r"),
        Cancel("g", "owner", "reason"),
        Done("g", 4, Outcome.EXPIRED),
    ],
    ids=lambda record: type(record).__name__,
)
def test_queue_records_come_back(record: QueueRecord) -> None:
    assert codec.decode_queue(codec.encode_queue(record)) == record


def test_a_head_comes_back() -> None:
    assert codec.decode_reply(codec.encode_head(HEAD)) == [HEAD]


@given(st.lists(frames, max_size=20))
def test_frames_come_back_in_order(given_frames: list[Frame]) -> None:
    decoded = [frame for record in codec.encode_frames(given_frames) for frame in codec.decode_reply(record)]
    assert decoded == given_frames


def test_frames_of_one_step_travel_in_one_record() -> None:
    step = [Frame(f"g{number}", 1, 0, 5, [number], b'{"index":0}') for number in range(512)]
    assert len(codec.encode_frames(step)) == 1


def test_a_step_that_is_too_large_is_split() -> None:
    step = [Frame(f"g{number}", 1, 0, 0, [1], b"x" * 300_000) for number in range(8)]
    records = codec.encode_frames(step)
    assert len(records) > 1
    assert all(len(record) <= codec.MAX_RECORD_BYTES for record in records)


def test_the_content_is_apart_from_what_the_ledger_counts() -> None:
    (record,) = codec.encode_frames([Frame("g", 1, 0, 0, [70_001, 70_002], b"secret words")])
    columns = msgspec.msgpack.decode(record[2:])
    content = columns.pop()
    assert b"secret words" in content
    assert b"secret words" not in msgspec.msgpack.encode(columns)
    assert columns[5] == [2]


def test_a_later_writers_fields_are_skipped() -> None:
    known = msgspec.msgpack.decode(codec.encode_queue(Detach("g", "r"))[2:])
    later = codec.encode_queue(Detach("g", "r"))[:2] + msgspec.msgpack.encode(known | {"later": 1})
    assert codec.decode_queue(later) == Detach("g", "r")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    for start in (b"", b"\x01Q", b"\x01H", b"\x01F"):
        for decode in (codec.decode_queue, codec.decode_reply):
            with contextlib.suppress(codec.MalformedRecord):
                decode(start + data)


@given(st.data(), st.lists(frames, min_size=1, max_size=5))
def test_damaged_frames_are_records_or_refused(data: st.DataObject, given_frames: list[Frame]) -> None:
    (record,) = codec.encode_frames(given_frames)
    at = data.draw(st.integers(0, len(record) - 1))
    for damaged in (record[:at], record[:at] + data.draw(st.binary(min_size=1, max_size=3)) + record[at + 1 :]):
        with contextlib.suppress(codec.MalformedRecord):
            codec.decode_reply(damaged)


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, ["g", "h"]), (1, []), (2, [9]), (3, [-2]), (4, [-1]), (5, [-1]), (5, [3]), (6, [[4, "stop"]]), (3, [0, 0])],
)
def test_columns_that_do_not_fit_are_refused(column: int, value: list[object]) -> None:
    (record,) = codec.encode_frames([Frame("g", 1, 0, 0, [1, 2], b"{}")])
    columns = msgspec.msgpack.decode(record[2:])
    columns[column] = value
    with pytest.raises(codec.MalformedRecord):
        codec.decode_reply(record[:2] + msgspec.msgpack.encode(columns))


def test_nesting_without_end_is_refused() -> None:
    deep = codec.encode_queue(Detach("g", "r"))[:2] + b"\x82\xa4type\xa6detach\xa1x" + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(codec.MalformedRecord):
        codec.decode_queue(deep)


def test_another_version_is_refused() -> None:
    with pytest.raises(codec.MalformedRecord, match="starts with"):
        codec.decode_queue(b"\x02" + codec.encode_queue(Detach("g", "r"))[1:])
