"""What is kept of what was said."""

from inferno_core import session as wire
from inferno_core.hosted import Row, Run, Session
from inferno_core.session import Piece, Submit


def a_run(session: Session, handle: int = 1, accepted: tuple[Piece, ...] = ()) -> Run:
    submit = Submit(handle, f"g{handle}", "q/0", 1, "chat", b"{}", accepted=accepted)
    run = session.runs[handle] = Run(f"g{handle}#0", submit, session, 0.0)
    return run


def said(session: Session, run: Run, *rows: Row) -> None:
    """Say frames in a message of their own."""
    session.say([run] * len(rows), rows)
    session.close(0, 0.0)


def adopting(run: Run, next: dict[int, int], tokens: dict[int, list[int]], pieces: int = -1) -> wire.Adopt:
    return wire.Adopt(9, run.id, "q/0", 2, next, wire.tokens_digest(tokens), pieces)


def rows(*counts: int, choice: int = 0) -> list[Row]:
    """Frames with so many tokens each, counted on."""
    made: list[Row] = []
    at = 0
    for count in counts:
        made.append((choice, list(range(at, at + count)), b"x%d" % at, ""))
        at += count
    return made


def test_frames_of_a_run_are_found_again_among_all_that_was_said() -> None:
    session = Session("s")
    mine, other = a_run(session, 1), a_run(session, 2)
    for row in rows(1, 2):
        said(session, mine, row)
        said(session, other, (0, [99], b"other", "stop"))
    session.let_go(mine)
    assert mine.kept == rows(1, 2)
    session.let_go(other)
    assert other.kept == [(0, [99], b"other", "stop")] * 2


def test_what_was_acknowledged_is_not_kept() -> None:
    session = Session("s")
    run = a_run(session)
    for row in rows(1, 1, 1):
        said(session, run, row)
    session.acknowledge(2)
    session.let_go(run)
    assert run.kept == rows(1, 1, 1)[2:]


def test_what_is_in_the_message_that_was_begun_is_kept_too() -> None:
    session = Session("s")
    run = a_run(session)
    session.say([run], rows(1))
    session.let_go(run)
    assert run.kept == rows(1)


def test_credit_is_spent_by_what_is_kept() -> None:
    session = Session("s")
    session.window_bytes = 1000
    run = a_run(session)
    assert session.has_credit
    said(session, run, (0, [1], bytes(1000), ""))
    assert not session.has_credit
    session.acknowledge(1)
    assert session.has_credit


def test_a_run_agrees_at_each_boundary_that_is_kept_and_nowhere_else() -> None:
    session = Session("s")
    run = a_run(session)
    for row in rows(2, 2, 2):
        said(session, run, row)
    session.acknowledge(1)
    session.let_go(run)
    tokens = list(range(6))
    found = {cut: run.accepted(adopting(run, {0: cut}, {0: tokens[:cut]})) for cut in range(8)}
    assert found == {0: None, 1: None, 2: 0, 3: None, 4: 1, 5: None, 6: 2, 7: None}


def test_a_run_with_other_tokens_does_not_agree() -> None:
    session = Session("s")
    run = a_run(session)
    said(session, run, *rows(2))
    session.let_go(run)
    assert run.accepted(adopting(run, {0: 2}, {0: [0, 7]})) is None


def test_frames_without_tokens_are_told_apart_by_their_number() -> None:
    session = Session("s")
    run = a_run(session)
    role: Row = (0, [], b"role", "")
    said(session, run, role, *rows(1))
    session.let_go(run)
    assert run.accepted(adopting(run, {}, {}, pieces=0)) == 0
    assert run.accepted(adopting(run, {0: 0}, {0: []}, pieces=1)) == 1
    assert run.accepted(adopting(run, {0: 0}, {0: []}, pieces=2)) is None
    assert run.accepted(adopting(run, {0: 1}, {0: [0]}, pieces=2)) == 2


def test_choices_are_looked_at_together() -> None:
    session = Session("s")
    run = a_run(session)
    said(session, run, *rows(1), *rows(1, choice=1), (0, [1], b"", ""))
    session.let_go(run)
    assert run.accepted(adopting(run, {0: 1}, {0: [0]})) == 1
    assert run.accepted(adopting(run, {0: 1, 1: 1}, {0: [0], 1: [0]})) == 2
    # That far choice 0 has not come without choice 1.
    assert run.accepted(adopting(run, {0: 2}, {0: [0, 1]})) is None


def test_what_a_run_went_on_from_counts_as_said() -> None:
    session = Session("s")
    run = a_run(session, accepted=(Piece(0, (0, 1)), Piece(0, (2,))))
    said(session, run, (0, [3], b"", ""))
    session.let_go(run)
    assert run.accepted(adopting(run, {0: 3}, {0: [0, 1, 2]}, pieces=2)) == 0
    assert run.accepted(adopting(run, {0: 4}, {0: [0, 1, 2, 3]}, pieces=3)) == 1
    assert run.accepted(adopting(run, {0: 2}, {0: [0, 1]}, pieces=1)) is None
