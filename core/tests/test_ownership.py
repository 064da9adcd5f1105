"""The owner of a request partition, step by step: what it may say, and when."""

import msgspec
import pytest

from inferno_core import address
from inferno_core.acceptance import History
from inferno_core.address import Address
from inferno_core.effects import (
    AppendQueue,
    AppendReply,
    Committed,
    EngineFrame,
    Linger,
    ReadFrom,
    Resume,
    Scan,
    Start,
    StepDown,
    Stop,
)
from inferno_core.ownership import Partition
from inferno_core.records import (
    Attach,
    Cancel,
    Claim,
    Detach,
    Done,
    Epoch,
    Final,
    Frame,
    Head,
    Outcome,
    QueueRecord,
    Request,
    Tenant,
    final_frame,
)

TENANT = Tenant("organisation", "project", "key")
LOST = Final(Outcome.FAILED)


def request(*, known: int = 0, grace_s: float = 0.0) -> Request:
    place = Address(b"log0", topic=0, p=0, known=known, r=2, reply_from=40)
    id = address.issue(place, "chat", TENANT, b"secret")
    return Request(id, "chat", b"{}", "m", "1", TENANT, "reader", 1_700_000_000_123, 7, grace_s=grace_s)


class Owner:
    """A partition object with its log: what it appends to p is read back at once, unless it is told otherwise."""

    def __init__(self, *before: QueueRecord, committed: Committed | None = None) -> None:
        self.partition = Partition("worker-0", "nonce")
        self.log = list(before)
        self.partition.assigned()
        assert self.partition.drain() == [AppendQueue(Epoch("worker-0", "nonce"))]
        self.log.append(Epoch("worker-0", "nonce"))
        self.epoch = len(self.log) - 1
        committed = committed or Committed()
        self.partition.epoch_acked(self.epoch, committed)
        self.effects = self.partition.drain()
        for offset in range(committed.offset, len(self.log)):
            self.partition.read(offset, self.log[offset])
        self.effects += self.partition.drain()

    def read(self, record: QueueRecord) -> list[object]:
        self.log.append(record)
        self.partition.read(len(self.log) - 1, record)
        return list(self.partition.drain())

    def take(self, id: str) -> list[object]:
        self.partition.take(id)
        return list(self.partition.drain())

    def speaking(self, asked: Request) -> None:
        self.read(asked)
        self.take(asked.id)
        self.read(Claim(asked.id, self.epoch))

    def frame(self, id: str, *tokens: int, final: Final | None = None) -> list[object]:
        self.partition.frame(id, EngineFrame(0, tokens, b"{}", "stop" if final else None, final))
        return list(self.partition.drain())


def appended(effects: list[object]) -> list[object]:
    return [effect.record for effect in effects if isinstance(effect, AppendQueue | AppendReply)]


def test_it_reads_from_the_committed_offset_to_its_own_epoch_first() -> None:
    asked = request()
    owner = Owner(request(), asked, committed=Committed(1, -1))
    assert owner.effects == [ReadFrom(1)]
    assert owner.partition.live
    assert [waiting.id for waiting in owner.partition.waiting] == [asked.id]


def test_it_does_nothing_before_it_has_read_its_own_epoch() -> None:
    asked = request()
    partition = Partition("w", "n")
    partition.assigned()
    partition.epoch_acked(2, Committed())
    partition.drain()
    partition.read(0, asked)
    partition.read(1, Cancel(asked.id, "owner"))
    assert partition.drain() == []
    assert not partition.live
    partition.read(2, Epoch("w", "n"))
    assert partition.drain() == [AppendQueue(Claim(asked.id, 2))]


@pytest.mark.parametrize("committed", [Committed(9, 3), Committed(1, 9)])
def test_a_commit_beyond_its_epoch_stops_it(committed: Committed) -> None:
    partition = Partition("w", "n")
    partition.assigned()
    partition.drain()
    partition.epoch_acked(4, committed)
    (effect,) = partition.drain()
    assert isinstance(effect, StepDown)
    assert partition.stopped


def test_a_higher_epoch_stops_it_for_good() -> None:
    owner = Owner()
    asked = request()
    owner.speaking(asked)
    (effect,) = owner.read(Epoch("worker-1", "other"))
    assert isinstance(effect, StepDown)
    assert owner.frame(asked.id, 1) == []
    owner.partition.end(asked.id, LOST)
    assert owner.partition.drain() == []


def test_a_fresh_request_starts_at_once_and_speaks_after_the_read_back() -> None:
    owner = Owner()
    asked = request()
    assert owner.read(asked) == []
    assert owner.take(asked.id) == [AppendQueue(Claim(asked.id, owner.epoch)), Start(asked)]
    assert owner.frame(asked.id, 10, 11) == []
    head, frame = appended(owner.read(Claim(asked.id, owner.epoch)))
    assert isinstance(head, Head)
    assert isinstance(frame, Frame)
    assert (frame.epoch, frame.index, frame.tokens) == (owner.epoch, 0, (10, 11))
    (effect,) = owner.frame(asked.id, 12)
    assert isinstance(effect, AppendReply)
    assert effect.r == 2
    assert isinstance(effect.record, Frame)
    assert effect.record.index == 2


def test_a_claim_of_a_former_epoch_makes_it_take_over() -> None:
    asked = request()
    owner = Owner(Epoch("worker-1", "x"), asked, Claim(asked.id, 0))
    assert owner.take(asked.id) == [AppendQueue(Claim(asked.id, owner.epoch))]
    (head,) = appended(owner.read(Claim(asked.id, owner.epoch)))
    assert isinstance(head, Head)
    assert owner.frame(asked.id, 1) == []
    owner.partition.head_acked(asked.id, 77)
    assert owner.partition.drain() == [Scan(asked.id, 2, 40, 77)]
    history = History()
    history.read(Frame(asked.id, 0, 0, 0, (10, 11), b"{}"))
    history.head(head)
    owner.partition.scanned(asked.id, history)
    assert owner.partition.drain() == [Resume(asked, history)]
    (frame,) = appended(owner.frame(asked.id, 12))
    assert isinstance(frame, Frame)
    assert frame.index == 2


def test_a_void_claim_is_no_claim() -> None:
    asked = request()
    owner = Owner(Epoch("a", "x"), Epoch("b", "y"), asked, Claim(asked.id, 0))
    assert Start(asked) in owner.take(asked.id)


def test_a_takeover_that_finds_the_final_frame_only_says_done() -> None:
    asked = request()
    owner = Owner(Epoch("worker-1", "x"), asked, Claim(asked.id, 0))
    owner.take(asked.id)
    owner.read(Claim(asked.id, owner.epoch))
    owner.partition.head_acked(asked.id, 50)
    owner.partition.drain()
    history = History()
    history.read(final_frame(asked.id, 0, Final(Outcome.EXPIRED)))
    owner.partition.scanned(asked.id, history)
    assert owner.partition.drain() == [AppendQueue(Done(asked.id, owner.epoch, Outcome.EXPIRED))]


def test_a_takeover_that_finds_a_higher_epoch_steps_down() -> None:
    asked = request()
    owner = Owner(Epoch("worker-1", "x"), asked, Claim(asked.id, 0))
    owner.take(asked.id)
    owner.read(Claim(asked.id, owner.epoch))
    owner.partition.head_acked(asked.id, 50)
    owner.partition.drain()
    history = History()
    history.read(Frame(asked.id, 99, 0, 0, (), b"{}"))
    owner.partition.scanned(asked.id, history)
    (effect,) = owner.partition.drain()
    assert isinstance(effect, StepDown)


def test_a_request_marked_again_is_never_started_blindly() -> None:
    owner = Owner()
    asked = msgspec.structs.replace(request(), again=True)
    owner.read(asked)
    assert owner.take(asked.id) == [AppendQueue(Claim(asked.id, owner.epoch))]


def test_a_request_older_than_the_owners_memory_counts_as_again() -> None:
    owner = Owner(request(), request(), committed=Committed(2, -1))
    old, new = request(known=1), request(known=2)
    for asked in (old, new):
        owner.read(asked)
    assert Start(old) not in owner.take(old.id)
    assert Start(new) in owner.take(new.id)


def test_the_end_is_said_once_then_done_then_forgotten() -> None:
    owner = Owner()
    asked = request()
    owner.speaking(asked)
    (frame,) = appended(owner.frame(asked.id, 1, final=Final(Outcome.FINISHED)))
    assert isinstance(frame, Frame)
    owner.partition.end(asked.id, LOST)
    assert owner.frame(asked.id, 2) == []
    assert owner.partition.committable.offset == 1
    owner.partition.final_acked(asked.id)
    done = Done(asked.id, owner.epoch, Outcome.FINISHED)
    assert owner.partition.drain() == [AppendQueue(done)]
    owner.partition.final_acked(asked.id)
    assert owner.partition.drain() == []
    assert owner.partition.committable.offset == 1
    owner.read(done)
    assert owner.partition.committable == Committed(4, owner.epoch)


def test_a_void_done_is_no_done() -> None:
    asked = request()
    owner = Owner(Epoch("a", "x"), asked, Claim(asked.id, 0), Epoch("b", "y"), Done(asked.id, 0, Outcome.FINISHED))
    assert owner.partition.committable == Committed(1, 0)


def test_a_finished_request_that_comes_again_is_left_alone() -> None:
    owner = Owner()
    asked = request()
    owner.speaking(asked)
    owner.read(Done(asked.id, owner.epoch, Outcome.FINISHED))
    owner.read(msgspec.structs.replace(asked, again=True))
    assert list(owner.partition.waiting) == []


def test_the_last_readers_leaving_ends_it() -> None:
    owner = Owner()
    asked = request()
    owner.speaking(asked)
    owner.read(Attach(asked.id, "second"))
    assert owner.read(Detach(asked.id, "reader")) == []
    effects = owner.read(Detach(asked.id, "second"))
    assert effects[0] == Stop(asked.id)
    assert appended(effects) == [final_frame(asked.id, owner.epoch, Final(Outcome.CANCELLED))]


def test_a_waiting_request_that_nobody_listens_to_is_claimed_and_ended_without_an_engine() -> None:
    owner = Owner()
    asked = request()
    owner.read(asked)
    assert owner.read(Detach(asked.id, "reader")) == [AppendQueue(Claim(asked.id, owner.epoch))]
    head, final = appended(owner.read(Claim(asked.id, owner.epoch)))
    assert isinstance(head, Head)
    assert final == final_frame(asked.id, owner.epoch, Final(Outcome.CANCELLED))


def test_grace_keeps_it_running_without_readers() -> None:
    owner = Owner()
    asked = request(grace_s=30)
    owner.speaking(asked)
    assert owner.read(Detach(asked.id, "reader")) == [Linger(asked.id, 30)]
    owner.read(Attach(asked.id, "second"))
    owner.partition.linger_over(asked.id)
    assert owner.partition.drain() == []
    owner.read(Detach(asked.id, "second"))
    owner.partition.linger_over(asked.id)
    assert Stop(asked.id) in owner.partition.drain()


def test_an_end_before_the_read_back_is_told_after_it() -> None:
    owner = Owner()
    asked = request()
    owner.read(asked)
    owner.take(asked.id)
    owner.partition.end(asked.id, LOST)
    assert owner.partition.drain() == [Stop(asked.id)]
    _, final = appended(owner.read(Claim(asked.id, owner.epoch)))
    assert final == final_frame(asked.id, owner.epoch, LOST)


def test_the_head_tells_what_readers_need() -> None:
    owner = Owner()
    asked = request()
    owner.read(asked)
    owner.partition.take(asked.id, host="triton-0", incarnation="i", fingerprint="f")
    claim, _ = owner.partition.drain()
    assert claim == AppendQueue(Claim(asked.id, owner.epoch, "triton-0", "i"))
    (head,) = appended(owner.read(Claim(asked.id, owner.epoch)))
    assert head == Head(asked.id, owner.epoch, "chat", 1_700_000_000, 1, False, TENANT, "", "m", "1", "f")
