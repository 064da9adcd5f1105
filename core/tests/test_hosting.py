"""Who commands what runs at a host, who is told of it, and what happens when they change."""

import pytest
from hosting_stage import USAGE, Ear, Stage, adoption

from inferno_core.hosted import Row
from inferno_core.session import GRACE_S, Ack, Cancel, Fence, Piece, Release


def running(stage: Stage) -> list[str]:
    return sorted(run.id for run in stage.running.values())


@pytest.fixture
def stage() -> Stage:
    """A host with session `a` attached, which has generation `g` running as handle 1 under epoch 1."""
    stage = Stage()
    stage.attach("a")
    stage.submit("a", 1)
    return stage


def ear(stage: Stage) -> Ear:
    return stage.ears["a"]


# What is told


def test_a_step_of_many_generations_is_one_message() -> None:
    stage = Stage(slots=100)
    ear = stage.attach("s")
    for handle in range(1, 101):
        stage.submit("s", handle, f"g{handle}")
    before = len(ear.messages)
    for handle in range(1, 101):
        stage.gain(f"g{handle}", handle)
    stage.turn()
    (message,) = ear.messages[before:]
    assert message.frames is not None
    assert sorted(message.frames.handles) == list(range(1, 101))


def test_an_end_comes_with_the_last_words(stage: Stage) -> None:
    stage.gain("g", 1, finish="stop")
    stage.finish("g")
    stage.turn()
    last = ear(stage).messages[-1]
    assert last.frames is not None
    assert last.frames.finishes == {0: "stop"}
    assert [(ending.handle, ending.usage) for ending in last.endings] == [(1, USAGE)]


def test_a_run_is_forgotten_when_its_end_is_acknowledged(stage: Stage) -> None:
    stage.finish("g")
    stage.turn()
    assert "g" in stage.host.runs
    stage.say("a", Ack(ear(stage).messages[-1].number))
    assert not stage.host.runs
    assert stage.aborted == []


def test_no_words_are_told_without_credit_and_none_is_lost() -> None:
    stage = Stage()
    ear = stage.attach("s", window_bytes=1)
    stage.submit("s", 1)
    for token in range(5):
        stage.gain("g", token)
        stage.turn()
    assert len(ear.told()[1]) == 1
    stage.say("s", Ack(1))
    stage.turn()
    assert [row[1] for row in ear.told()[1]] == [[0], [1], [2], [3], [4]]


def test_one_without_credit_does_not_hold_up_another() -> None:
    stage = Stage()
    stage.attach("stalled", window_bytes=1)
    well = stage.attach("well")
    stage.submit("stalled", 1, "g1")
    stage.submit("well", 1, "g2", partition="q/1")
    for token in range(50):
        stage.gain("g1", token)
        stage.gain("g2", token)
        stage.turn()
    assert len(well.told()[1]) == 50


# What is commanded


def test_a_batch_is_carried_out_once_and_in_its_turn(stage: Stage) -> None:
    stage.say("a", Cancel((1,)), number=3)
    assert running(stage) == ["g"]
    stage.say("a", Cancel((1,)), number=1)
    assert running(stage) == ["g"]
    stage.say("a", Cancel((1,)), number=2)
    assert stage.aborted == ["g"]


def test_commands_of_a_session_that_is_not_known_are_left_aside() -> None:
    stage = Stage()
    stage.submit("nobody", 1)
    assert not stage.running


def test_nothing_is_said_of_what_was_cancelled(stage: Stage) -> None:
    stage.gain("g", 1)
    stage.say("a", Cancel((1, 1, 77)))
    stage.turn()
    assert ear(stage).told() == {}
    assert stage.aborted == ["g"]
    assert not stage.host.works


def test_a_submit_replaces_the_older_run_of_its_id(stage: Stage) -> None:
    stage.submit("a", 2, accepted=(Piece(0, (7,)),))
    assert stage.aborted == ["g"]
    assert running(stage) == ["g"]
    stage.gain("g", 8)
    stage.turn()
    assert list(ear(stage).told()) == [2]


def test_a_handle_that_is_taken_is_not_given_away(stage: Stage) -> None:
    stage.submit("a", 1, "other")
    assert running(stage) == ["g"]


def test_a_host_takes_no_more_than_it_can_ever_hold() -> None:
    stage = Stage(slots=1)
    ear = stage.attach("s")
    for handle in range(1, 100):
        stage.submit("s", handle, f"g{handle}")
    failures = [ending.failure for ending in ear.endings().values()]
    assert {failure.code for failure in failures if failure is not None} == {"unavailable"}
    assert len(stage.running) == len(stage.host.runs) < 99


def test_a_deadline_ends_a_run_after_what_it_said() -> None:
    stage = Stage()
    stage.attach("s")
    stage.submit("s", 1, deadline_s=5.0)
    stage.turn(4.9)
    assert stage.failing == []
    stage.turn(0.2)
    (fail,) = stage.failing
    assert fail.error.code == "deadline_exceeded"
    stage.turn(1)
    assert len(stage.failing) == 1


# Who may command


def test_a_fence_shuts_out_former_owners(stage: Stage) -> None:
    stage.attach("b")
    stage.say("b", Fence("q/0", 2))
    stage.say("a", Cancel((1,)))
    assert running(stage) == ["g"]
    stage.submit("a", 2, "other")
    failure = ear(stage).endings()[2].failure
    assert failure is not None
    assert failure.code == "fenced"
    stage.say("a", adoption(3, [], epoch=1))
    assert ear(stage).adoptions() == {3: False}
    assert running(stage) == ["g"]


def test_an_acknowledgement_of_a_former_owner_takes_nothing_from_the_new_one(stage: Stage) -> None:
    stage.gain("g", 1)
    stage.turn()
    later = stage.attach("b")
    stage.say("b", Fence("q/0", 2))
    stage.say("a", Ack(100))
    stage.adopt("b", 1, [])
    assert later.adoptions() == {1: True}
    assert [row[1] for row in later.told()[1]] == [[1]]


def test_other_partitions_of_a_fenced_session_go_on(stage: Stage) -> None:
    stage.submit("a", 2, "h", partition="q/1")
    stage.attach("b")
    stage.say("b", Fence("q/0", 2))
    stage.gain("h", 5)
    stage.turn()
    assert list(ear(stage).told()) == [2]


# Handing over


def test_an_adopter_gets_what_the_log_lacks_with_the_same_boundaries(stage: Stage) -> None:
    for tokens in ((1, 2), (3,), (4, 5, 6)):
        stage.gain("g", *tokens)
        stage.turn()
    former = ear(stage).told()[1]
    later = stage.attach("b")
    stage.adopt("b", 9, former[:1])
    stage.gain("g", 7)
    stage.turn()
    assert later.adoptions() == {9: True}
    assert later.told()[9] == [*former[1:], (0, [7], b"x", "")]
    assert stage.aborted == []
    assert ear(stage).told()[1] == former


@pytest.mark.parametrize("digest", [b"wrong", b""])
def test_a_run_whose_tokens_differ_is_stopped(stage: Stage, digest: bytes) -> None:
    stage.gain("g", 1)
    stage.turn()
    later = stage.attach("b")
    stage.adopt("b", 9, ear(stage).told()[1], digest=digest)
    assert later.adoptions() == {9: False}
    assert stage.aborted == ["g"]
    assert not stage.host.runs


def test_a_run_that_no_longer_keeps_the_frame_is_stopped(stage: Stage) -> None:
    for token in (1, 2):
        stage.gain("g", token)
        stage.turn()
    stage.say("a", Ack(2))
    later = stage.attach("b")
    stage.adopt("b", 9, ear(stage).told()[1][:1])
    assert later.adoptions() == {9: False}
    assert stage.aborted == ["g"]


def test_what_does_not_run_here_must_be_rebuilt(stage: Stage) -> None:
    later = stage.attach("b")
    stage.adopt("b", 9, [], id="unknown")
    stage.adopt("b", 10, [], partition="q/7")
    assert later.adoptions() == {9: False, 10: False}
    assert running(stage) == ["g"]


def test_one_that_has_ended_can_be_adopted_until_that_is_acknowledged(stage: Stage) -> None:
    stage.gain("g", 1)
    stage.finish("g")
    stage.turn()
    later = stage.attach("b")
    stage.adopt("b", 9, [])
    assert [row[1] for row in later.told()[9]] == [[1]]
    assert later.endings()[9].usage == USAGE
    stage.say("b", Ack(later.messages[-1].number))
    assert not stage.host.runs


def test_one_that_ends_while_nobody_has_it_ends_for_its_adopter(stage: Stage) -> None:
    stage.say("a", Release((1,)))
    stage.gain("g", 1)
    stage.finish("g")
    stage.turn()
    stage.adopt("a", 2, [], epoch=1)
    assert [row[1] for row in ear(stage).told()[2]] == [[1]]
    assert ear(stage).endings()[2].usage == USAGE


def test_a_worker_can_take_over_from_itself(stage: Stage) -> None:
    stage.gain("g", 1)
    stage.turn()
    stage.adopt("a", 2, [])
    stage.gain("g", 2)
    stage.turn()
    assert [row[1] for row in ear(stage).told()[2]] == [[1], [2]]


def test_a_run_can_be_handed_on_and_on(stage: Stage) -> None:
    heard: list[Row] = []
    for epoch, name in enumerate("bcd", start=2):
        stage.gain("g", epoch)
        stage.turn()
        later = stage.attach(name)
        stage.adopt(name, 1, heard, epoch=epoch)
        heard += later.told()[1]
    assert [row[1] for row in heard] == [[2], [3], [4]]


def test_later_acknowledgements_leave_what_was_released(stage: Stage) -> None:
    stage.gain("g", 1)
    stage.turn()
    stage.say("a", Release((1,)), Ack(1))
    later = stage.attach("b")
    stage.adopt("b", 1, [])
    assert [row[1] for row in later.told()[1]] == [[1]]


# Grace


def test_what_nobody_adopts_is_stopped_after_the_grace(stage: Stage) -> None:
    stage.say("a", Release((1,)))
    stage.turn(GRACE_S - 1)
    assert running(stage) == ["g"]
    stage.turn(1.1)
    assert stage.aborted == ["g"]
    assert not stage.host.runs


def test_a_session_that_stays_lost_is_forgotten_with_its_runs(stage: Stage) -> None:
    stage.hang_up(ear(stage))
    stage.turn(GRACE_S - 1)
    assert running(stage) == ["g"]
    stage.turn(1.1)
    assert stage.aborted == ["g"]
    hello = stage.attach("a").messages[0].hello
    assert hello is not None
    assert hello.fresh


def test_a_session_that_comes_back_in_time_has_lost_nothing(stage: Stage) -> None:
    stage.hang_up(ear(stage))
    stage.gain("g", 1)
    stage.turn(GRACE_S - 1)
    again = stage.attach("a")
    stage.turn(GRACE_S)
    assert [row[1] for row in again.told()[1]] == [[1]]
    assert running(stage) == ["g"]


# Retiring


def test_a_host_that_retires_tells_all_whatever_the_window() -> None:
    stage = Stage()
    ear = stage.attach("s", window_bytes=1)
    stage.submit("s", 1)
    for token in range(3):
        stage.gain("g", token)
        stage.turn()
    stage.host.retire()
    for token in range(3, 6):
        stage.gain("g", token)
        stage.turn()
    assert not ear.final
    stage.finish("g")
    stage.turn()
    assert [row[1] for row in ear.told()[1]] == [[0], [1], [2], [3], [4], [5]]
    assert (ear.bye, ear.final) == ("retiring", True)
    assert not stage.host.runs


def test_a_host_that_retires_waits_for_nobody_who_cannot_come() -> None:
    stage = Stage()
    lost, held = stage.attach("lost"), stage.attach("held")
    stage.submit("lost", 1, "g1")
    stage.submit("held", 1, "g2", partition="q/1")
    stage.submit("held", 2, "g3", partition="q/1")
    stage.say("held", Release((2,)))
    stage.finish("g2")
    stage.turn()
    stage.hang_up(lost)
    stage.host.retire()
    stage.turn(0.2)
    assert sorted(stage.aborted) == ["g1", "g3"]
    assert (held.bye, held.final) == ("retiring", True)
