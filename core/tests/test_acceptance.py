"""Rule 5: which frames count."""

from inferno_core.acceptance import Acceptance, History
from inferno_core.records import Final, Frame, Head, Outcome, Tenant, final_frame


def head(epoch: int) -> Head:
    return Head("g", epoch, "chat", 0, 1, False, Tenant("o", "p", "k"), "", "m", "1", "f")


def frame(epoch: int, index: int, *tokens: int, choice: int = 0, finish: str | None = None) -> Frame:
    return Frame("g", epoch, choice, index, tokens, b"{}", finish)


def test_frames_count_in_order() -> None:
    acceptance = Acceptance()
    assert acceptance.head(head(3))
    first = acceptance.frame(frame(3, 0, 10, 11))
    second = acceptance.frame(frame(3, 2, 12))
    assert first is not None
    assert second is not None
    assert (first.token_index, second.token_index) == (1, 2)
    assert acceptance.next == {0: 3}


def test_token_indices_run_over_all_choices() -> None:
    acceptance = Acceptance()
    places = [acceptance.frame(frame(3, index, 1, choice=choice)) for index, choice in ((0, 0), (0, 1), (1, 1), (1, 0))]
    assert [place.token_index for place in places if place] == [0, 1, 2, 3]


def test_a_frame_without_tokens_counts_and_has_no_index() -> None:
    acceptance = Acceptance()
    role = acceptance.frame(frame(3, 0))
    assert role is not None
    assert role.token_index == -1


def test_a_higher_epoch_silences_a_lower_one() -> None:
    acceptance = Acceptance()
    assert acceptance.frame(frame(3, 0, 10))
    assert acceptance.head(head(7))
    assert acceptance.frame(frame(3, 1, 11)) is None
    assert not acceptance.head(head(5))
    assert acceptance.frame(frame(7, 1, 12))
    assert acceptance.alarms == 0


def test_a_frame_that_does_not_fit_is_void_as_a_whole_and_an_alarm() -> None:
    acceptance = Acceptance()
    assert acceptance.frame(frame(3, 0, 10, 11))
    assert acceptance.frame(frame(3, 1, 11, 12)) is None
    assert acceptance.next == {0: 2}
    assert acceptance.alarms == 1


def test_nothing_counts_after_a_choice_has_ended() -> None:
    acceptance = Acceptance()
    assert acceptance.frame(frame(3, 0, 10, finish="stop"))
    assert acceptance.frame(frame(3, 1, 11)) is None
    assert acceptance.finishes == {0: "stop"}


def test_nothing_counts_after_the_final_frame() -> None:
    acceptance = Acceptance()
    assert acceptance.frame(final_frame("g", 3, Final(Outcome.CANCELLED)))
    assert acceptance.frame(frame(9, 0, 10)) is None
    assert not acceptance.head(head(9))
    assert acceptance.final == Final(Outcome.CANCELLED)


def test_a_final_frame_of_a_former_epoch_is_void() -> None:
    acceptance = Acceptance()
    assert acceptance.head(head(7))
    assert acceptance.frame(final_frame("g", 3, Final(Outcome.FINISHED))) is None
    assert acceptance.final is None


def test_a_history_keeps_what_counts_with_its_boundaries() -> None:
    history = History()
    for record in (head(3), frame(3, 0, 10), frame(2, 1, 99), frame(3, 1, 11, 12)):
        history.read(record)
    assert [list(kept.tokens) for kept in history.frames] == [[10], [11, 12]]
