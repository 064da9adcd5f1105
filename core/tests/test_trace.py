"""W3C Trace Context: what is read and what is written."""

import pytest

from inferno_core import trace

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_is_read_is_written_again():
    context = trace.parse(HEADER)
    assert context == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    assert context.traceparent == HEADER


def test_a_later_version_may_say_more():
    assert trace.parse(HEADER.replace("00-", "cc-", 1) + "-what-the-future-will-be-like") is not None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        HEADER.upper(),
        HEADER[:-1],
        " " + HEADER,
        HEADER.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_what_is_none_is_as_if_there_were_none(header: str):
    assert trace.parse(header) is None


def test_a_child_stays_in_its_trace():
    parent = trace.root(sampled=False)
    child = trace.child(parent)
    assert (child.trace_id, child.sampled) == (parent.trace_id, False)
    assert child.span_id != parent.span_id
    assert trace.parse(child.traceparent) == child


def test_a_caller_chooses_what_is_sampled_and_else_a_share_of_traces_is():
    parent = trace.root(sampled=False)
    assert trace.descend(parent.traceparent, 1.0).trace_id == parent.trace_id
    assert not trace.descend(parent.traceparent, 1.0).sampled
    assert trace.descend(trace.root(sampled=True).traceparent, 0.0).sampled
    assert trace.descend("nonsense", 1.0).sampled
    assert not trace.descend("", 0.0).sampled
    assert 0 < sum(trace.descend("", 0.5).sampled for _ in range(1000)) < 1000
