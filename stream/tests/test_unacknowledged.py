import pytest

from inferno_stream.unacknowledged import Unacknowledged


class Settled:
    """Counts how often more was settled."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def settled() -> Settled:
    return Settled()


@pytest.fixture
def kept(settled: Settled) -> Unacknowledged:
    return Unacknowledged(settled)


def test_nothing_is_acknowledged_before_all_before_it_is_settled(kept: Unacknowledged, settled: Settled) -> None:
    first, second, third = (kept.read(number, 100, 0.0) for number in (1, 2, 3))
    first.left += 2
    for receipt in (first, second, third):
        receipt.settle()
    assert (kept.settled, kept.acknowledge()) == (0, None)
    first.settle()
    assert kept.acknowledge() is None
    first.settle()
    assert settled.times == 1
    assert kept.acknowledge() == 3
    assert kept.acknowledge() is None
    assert kept.size_bytes == 0


def test_what_was_read_counts_until_it_is_acknowledged(kept: Unacknowledged) -> None:
    receipts = [kept.read(number, 100, 0.0) for number in (1, 2)]
    full = kept.size_bytes
    assert full > 200
    receipts[0].settle()
    assert kept.size_bytes == full
    assert kept.settled_bytes == full // 2
    assert kept.acknowledge() == 1
    assert (kept.size_bytes, kept.settled_bytes) == (full // 2, 0)


def test_what_is_settled_late_of_a_former_life_counts_for_nothing(kept: Unacknowledged, settled: Settled) -> None:
    old = kept.read(1, 100, 0.0)
    kept.begin(0)
    new = kept.read(1, 100, 0.0)
    old.settle()
    assert (settled.times, kept.acknowledge()) == (0, None)
    new.settle()
    assert kept.acknowledge() == 1
    assert kept.seen == 1
