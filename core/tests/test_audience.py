"""Who listens, and what is sent besides words."""

from hosting_stage import Stage

from inferno_core.audience import LINGER_S, ROTATE_BYTES, ROTATE_S, WINDOW_BYTES
from inferno_core.session import Ack, Cancel, Fence


def test_the_first_message_says_which_life_this_is_and_whether_the_session_was_known() -> None:
    stage = Stage()
    ear = stage.attach("s")
    hello = ear.messages[0].hello
    assert hello is not None
    assert (hello.life, hello.fresh, ear.messages[0].number) == ("life", True, 0)
    again = stage.attach("s").messages[0].hello
    assert again is not None
    assert not again.fresh


def test_a_second_attach_replaces_the_first() -> None:
    stage = Stage()
    first = stage.attach("s")
    second = stage.attach("s")
    assert not first.final
    stage.turn(LINGER_S)
    assert (first.bye, first.final) == ("replaced", True)
    assert not second.final


def test_one_that_is_replaced_and_breaks_off_is_answered_once() -> None:
    stage = Stage()
    first = stage.attach("s")
    second = stage.attach("s")
    stage.hang_up(first)
    stage.turn(LINGER_S)
    assert (first.bye, first.final) == ("", True)
    assert not second.final


def test_what_was_not_seen_comes_again_and_then_how_things_stand() -> None:
    stage = Stage()
    first = stage.attach("s")
    stage.submit("s", 1)
    for token in range(3):
        stage.gain("g", token)
        stage.turn()
    stage.hang_up(first)
    second = stage.attach("s", seen=1)
    assert [message.number for message in second.messages] == [0, 2, 3, 0]
    assert second.messages[-1].heard == 1
    assert second.messages[1:3] == first.messages[-2:]


def test_what_was_acknowledged_does_not_come_again() -> None:
    stage = Stage()
    stage.attach("s")
    stage.submit("s", 1)
    for token in range(3):
        stage.gain("g", token)
        stage.turn()
    stage.say("s", Ack(2))
    assert [message.number for message in stage.attach("s", seen=0).messages] == [0, 3, 0]


def test_heartbeats_come_each_second_and_are_not_held_back_by_a_full_window() -> None:
    stage = Stage()
    ear = stage.attach("s", window_bytes=1)
    stage.submit("s", 1)
    stage.gain("g", 1)
    stage.turn()
    stage.gain("g", 2)
    before = len(ear.messages)
    for _ in range(40):
        stage.turn(0.125)
    beats = ear.messages[before:]
    assert len(beats) == 5
    assert all(message.number == 0 and message.frames is None for message in beats)


def test_no_window_is_larger_than_a_host_can_keep() -> None:
    stage = Stage()
    stage.attach("s", window_bytes=1 << 40)
    assert stage.host.audience.sessions["s"].window_bytes == WINDOW_BYTES


def test_an_attach_grows_old_by_time() -> None:
    stage = Stage()
    ear = stage.attach("s")
    stage.turn(ROTATE_S - 1)
    assert not ear.final
    stage.turn(1)
    assert (ear.bye, ear.final) == ("rotate", True)


def test_an_attach_grows_old_by_bytes() -> None:
    stage = Stage()
    ear = stage.attach("s", window_bytes=ROTATE_BYTES)
    stage.submit("s", 1)
    size = 1 << 20
    for number in range(ROTATE_BYTES // size):
        assert not ear.final
        stage.gain("g", 1, delta=bytes(size))
        stage.turn()
        stage.say("s", Ack(number + 1))
    stage.turn()
    assert (ear.bye, ear.final) == ("rotate", True)


def test_an_attach_stays_old_until_another_would_be_taken() -> None:
    stage = Stage()
    ear = stage.attach("s")
    stage.host.audience.prove(stage.now)
    stage.turn(ROTATE_S)
    assert not ear.final
    stage.host.audience.prove(stage.now)
    stage.turn()
    assert ear.bye == "rotate"


def test_words_wait_for_the_next_attach_and_come_once() -> None:
    stage = Stage()
    first = stage.attach("s")
    stage.submit("s", 1)
    stage.gain("g", 1)
    stage.turn(ROTATE_S)
    stage.gain("g", 2)
    stage.turn()
    second = stage.attach("s", seen=first.messages[-2].number)
    told = [*first.told()[1], *second.told()[1]]
    assert [row[1] for row in told] == [[1], [2]]


def test_room_is_shared_among_who_listens() -> None:
    stage = Stage(slots=8)
    ears = [stage.attach(name) for name in "abc"]
    stage.turn(1)
    assert [ear.messages[-1].room for ear in ears] == [3, 3, 3]
    stage.submit("a", 1, slots=6)
    stage.turn(1)
    assert [ear.messages[-1].room for ear in ears] == [1, 1, 1]


def test_there_is_no_room_while_the_engine_has_requests_waiting_or_runs_others() -> None:
    stage = Stage(slots=8)
    ear = stage.attach("s")
    stage.host.crowded = True
    stage.turn(1)
    assert ear.messages[-1].room == 0
    stage.host.crowded, stage.host.busy = False, 6
    stage.turn(1)
    assert ear.messages[-1].room == 2


def test_room_that_comes_up_is_told_soon() -> None:
    stage = Stage(slots=2)
    full, waiting = stage.attach("full"), stage.attach("waiting")
    stage.submit("full", 1, slots=2)
    stage.turn(1)
    assert waiting.messages[-1].room == 0
    stage.say("full", Cancel((1,)))
    stage.turn(0.05)
    assert waiting.messages[-1].room == full.messages[-1].room == 1


def test_that_commands_were_heard_is_told_soon() -> None:
    stage = Stage()
    ear = stage.attach("s")
    stage.turn(0.05)
    stage.say("s", Fence("q/0", 1))
    assert ear.messages[-1].heard == 1
    stage.say("s", Fence("q/0", 2))
    assert ear.messages[-1].heard == 1
    stage.turn(0.05)
    assert ear.messages[-1].heard == 2


def test_who_comes_to_a_retiring_host_is_sent_away() -> None:
    stage = Stage()
    stage.host.retire()
    ear = stage.attach("s")
    assert (ear.bye, ear.final, ear.messages[0].hello) == ("retiring", True, None)


def test_a_host_with_nothing_to_say_retires_at_once() -> None:
    stage = Stage()
    ear = stage.attach("s")
    stage.host.retire()
    stage.turn()
    assert (ear.bye, ear.final) == ("retiring", True)
