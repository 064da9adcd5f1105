import pytest

from inferno_core import session as wire
from inferno_core.session import Cancel, Fence, Release, Submit
from inferno_stream import outbox as module
from inferno_stream.outbox import Outbox


def submit(handle: int, *, slots: int = 1, body: bytes = b"{}") -> Submit:
    return Submit(handle, str(handle), "queue/0", 1, "chat", body, slots)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox("session")


def test_what_is_written_travels_together_and_in_order(outbox: Outbox) -> None:
    said = (Fence("queue/0", 1), submit(1), submit(2, slots=3), Cancel((1,)))
    for command in said:
        outbox.write(command)
    outbox.seal()
    (batch,) = outbox.after(0)
    assert wire.decode_commands(batch.data) == wire.Commands("session", 1, said)
    assert outbox.slots == 4


def test_commands_that_name_handles_join_their_like_alone(outbox: Outbox) -> None:
    for command in (Cancel((1,)), Cancel((2,)), Release((3,)), Release((4,)), Cancel((5,))):
        outbox.write(command)
    outbox.seal()
    (batch,) = outbox.after(0)
    assert batch.commands == (Cancel((1, 2)), Release((3, 4)), Cancel((5,)))


def test_a_batch_is_kept_until_it_was_heard(outbox: Outbox) -> None:
    for number in range(3):
        outbox.write(submit(number))
        outbox.write(Fence(f"queue/{number}", number))
        outbox.seal()
    assert [batch.number for batch in outbox.after(1)] == [2, 3]
    assert outbox.heard(2)
    assert not outbox.heard(2)
    assert [batch.number for batch in outbox.after(0)] == [3]
    assert (outbox.slots, outbox.oldest) == (1, 3)
    assert outbox.fenced == {"queue/0": 0, "queue/1": 1}
    outbox.heard(3)
    assert outbox.oldest == 0


def test_nothing_written_makes_no_batch(outbox: Outbox) -> None:
    outbox.seal()
    assert list(outbox.after(0)) == []


def test_a_batch_has_a_bound(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH_BYTES", 100)
    for number in range(5):
        outbox.write(submit(number, body=b"x" * 40))
    outbox.seal()
    assert [len(batch.commands) for batch in outbox.after(0)] == [2, 2, 1]


def test_it_starts_over_from_what_the_host_has_heard(outbox: Outbox) -> None:
    outbox.write(submit(1))
    outbox.seal()
    outbox.write(submit(2))
    outbox.begin(7)
    assert (list(outbox.after(0)), outbox.slots, outbox.fenced) == ([], 0, {})
    outbox.write(submit(3))
    outbox.seal()
    assert [batch.number for batch in outbox.after(0)] == [8]


@pytest.mark.parametrize(("name", "most"), [("_MOST_BATCHES", 3), ("_MOST_BYTES", 300)], ids=["batches", "bytes"])
def test_what_is_unheard_has_a_bound_and_the_rest_waits(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(module, name, most)
    for number in range(20):
        outbox.write(submit(number, body=b"x" * 40))
        outbox.seal()
    assert outbox.is_full
    unheard = len(list(outbox.after(0)))
    assert unheard <= 4
    # What waits is asked for as well.
    assert outbox.slots == 20
    outbox.heard(1)
    assert not outbox.is_full
    outbox.seal()
    *_, last = outbox.after(0)
    assert [command.handle for command in last.commands if isinstance(command, Submit)] == list(range(unheard, 20))
    outbox.heard(last.number)
    assert outbox.slots == 0
