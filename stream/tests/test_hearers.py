import pytest
from listener import Listener

from inferno_core.effects import EngineFrame
from inferno_core.records import Failure, Final, Outcome, Usage
from inferno_core.session import Adoption, Ending, Frames, Message
from inferno_stream.engine import HostLeft, HostLost, Receipt
from inferno_stream.hearers import Hearers

USAGE = Usage(3, 2)


class Counted(Receipt):
    """A receipt that says whether it was settled."""

    def __init__(self) -> None:
        self.settled = 0
        super().__init__(0.0, self._count)

    def _count(self) -> None:
        self.settled += 1


@pytest.fixture
def first() -> Listener:
    return Listener()


@pytest.fixture
def second() -> Listener:
    return Listener()


@pytest.fixture
def hearers(first: Listener, second: Listener) -> Hearers:
    made = Hearers()
    made.update({1: first, 2: second})
    return made


def frames(*rows: tuple[int, int, list[int]], finishes: dict[int, str] | None = None) -> Frames:
    return Frames(
        handles=[handle for handle, _, _ in rows],
        choices=[choice for _, choice, _ in rows],
        counts=[len(tokens) for _, _, tokens in rows],
        tokens=[token for _, _, tokens in rows for token in tokens],
        deltas=[b"%d" % number for number in range(len(rows))],
        finishes=finishes or {},
    )


def test_each_hears_its_own_rows(hearers: Hearers, first: Listener, second: Listener) -> None:
    receipt = Counted()
    said = frames((1, 0, [5]), (2, 0, []), (1, 1, [6, 7]), (9, 0, [8]), finishes={2: "stop"})
    hearers.give(Message(1, 0, 0, frames=said), receipt)
    assert first.frames == [EngineFrame(0, (5,), b"0"), EngineFrame(1, (6, 7), b"2", "stop")]
    assert second.frames == [EngineFrame(0, (), b"1")]
    assert receipt.settled == 0
    first.settle()
    assert receipt.settled == 0
    second.settle()
    assert receipt.settled == 1


def test_an_end_comes_with_the_last_words_of_its_generation(
    hearers: Hearers, first: Listener, second: Listener
) -> None:
    said = frames((1, 0, [5]), (1, 0, [6]), (2, 0, [7]))
    hearers.give(Message(1, 0, 0, frames=said, endings=(Ending(1, USAGE),)), Counted())
    assert [frame.final for frame in first.frames] == [None, Final(Outcome.FINISHED, usage=USAGE)]
    assert list(hearers) == [2]


def test_an_end_without_words_is_a_frame_of_its_own(hearers: Hearers, first: Listener) -> None:
    receipt = Counted()
    hearers.give(Message(1, 0, 0, endings=(Ending(1, USAGE), Ending(9, USAGE))), receipt)
    assert first.frames == [EngineFrame(-1, (), b"", final=Final(Outcome.FINISHED, usage=USAGE))]
    assert receipt.settled == 0
    first.settle()
    assert receipt.settled == 1


def test_a_failure_ends_it_with_or_without_words(hearers: Hearers, first: Listener, second: Listener) -> None:
    failure = Failure("engine_failed", "It failed.")
    endings = (Ending(1, failure=failure), Ending(2, failure=failure))
    hearers.give(Message(1, 0, 0, frames=frames((1, 0, [5])), endings=endings), Counted())
    assert first.final == Final(Outcome.FAILED, failure)
    assert [error.code for error in second.errors] == ["engine_failed"]
    assert not hearers


def test_what_an_engine_takes_with_it_is_no_end(hearers: Hearers, first: Listener) -> None:
    ending = Ending(1, failure=Failure("engine_lost", "It died."))
    hearers.give(Message(1, 0, 0, frames=frames((1, 0, [5])), endings=(ending,)), Counted())
    assert [frame.final for frame in first.frames] == [None]
    assert type(first.errors[0]) is HostLost
    assert list(hearers) == [2]


def test_who_was_fenced_hears_nothing(hearers: Hearers, first: Listener) -> None:
    hearers.give(Message(1, 0, 0, endings=(Ending(1, failure=Failure("fenced", "No.")),)), Counted())
    assert (first.frames, first.errors) == ([], [])


def test_who_could_not_adopt_has_lost_it(hearers: Hearers, first: Listener, second: Listener) -> None:
    hearers.give(Message(1, 0, 0, adoptions=(Adoption(1, resumed=False), Adoption(2, resumed=True))), Counted())
    assert isinstance(first.errors[0], HostLeft)
    assert list(hearers) == [2]
    assert hearers.lose("Gone.") == (2,)
    assert type(second.errors[0]) is HostLost
    assert not hearers
