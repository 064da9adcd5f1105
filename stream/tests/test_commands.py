import time

from log_platform import MakeDraft
from msgspec.structs import replace

from inferno_core.acceptance import History
from inferno_core.records import Frame, Request
from inferno_core.session import Piece, tokens_digest
from inferno_stream import commands
from inferno_stream.engine import Order


def order(draft: MakeDraft, *, age_s: float = 0.0, history: History | None = None) -> Order:
    asked: Request = draft(whole_s=60.0).request("id", "reader", int((time.time() - age_s) * 1000))
    return Order(asked, "log/queue/3", 7, history)


def said() -> History:
    history = History()
    for choice, index, tokens, finish in ((0, 0, (), None), (0, 0, (5, 6), None), (1, 0, (7,), "stop")):
        history.frame(Frame("id", 1, choice, index, tokens, b"{}", finish))
    return history


def test_what_was_not_begun_is_asked_for_from_the_start(draft: MakeDraft) -> None:
    command = commands.submit(4, order(draft, age_s=20.0))
    assert (command.handle, command.id, command.partition, command.epoch) == (4, "id", "log/queue/3", 7)
    assert command.accepted == ()
    assert 38 < command.deadline_s < 41


def test_each_choice_takes_a_place_and_a_priority_goes_along(draft: MakeDraft) -> None:
    asked = replace(order(draft), request=replace(order(draft).request, n=3, priority=7))
    command = commands.submit(4, asked)
    assert (command.slots, command.priority) == (3, 7)


def test_texts_to_embed_share_one_place(draft: MakeDraft) -> None:
    asked = replace(order(draft), request=replace(order(draft).request, n=2000, surface="embedding"))
    assert commands.submit(4, asked).slots == 1


def test_a_deadline_that_has_passed_is_still_one(draft: MakeDraft) -> None:
    assert commands.submit(4, order(draft, age_s=100.0)).deadline_s > 0


def test_what_was_begun_is_asked_for_with_its_frames(draft: MakeDraft) -> None:
    command = commands.submit(4, order(draft, history=said()))
    assert command.accepted == (Piece(0, ()), Piece(0, (5, 6)), Piece(1, (7,), "stop"))


def test_what_runs_is_asked_for_from_where_the_log_is(draft: MakeDraft) -> None:
    command = commands.adopt(4, order(draft, history=said()))
    assert (command.next, command.pieces) == ({0: 2, 1: 1}, 3)
    assert command.digest == tokens_digest({0: [5, 6], 1: [7]})


def test_what_runs_and_has_said_nothing_is_taken_from_its_start(draft: MakeDraft) -> None:
    command = commands.adopt(4, order(draft, history=History()))
    assert (command.next, command.pieces, command.digest) == ({}, 0, tokens_digest({}))
