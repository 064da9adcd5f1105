"""The shell alone, on a ground that keeps what it is told."""

import asyncio

from log_platform import MakeDraft, Until
from msgspec import structs

from inferno_core import address, codec
from inferno_core.acceptance import History
from inferno_core.address import Address
from inferno_core.effects import Committed, EngineFrame
from inferno_core.records import (
    Attach,
    Claim,
    Detach,
    Done,
    Epoch,
    Final,
    Frame,
    Head,
    Outcome,
    QueueRecord,
    ReplyRecord,
    Request,
)
from inferno_stream.engine import Claimed
from inferno_stream.fake import FakeEngine, words
from inferno_stream.metrics import Metrics
from inferno_stream.owner import Owner
from inferno_stream.producer import OnAck
from inferno_stream.scan import Search
from inferno_stream.tracing import ListTracer


class FakeGround:
    """A log in memory: what is appended to p is read back by `settle`, acknowledgements come at once."""

    queue = topic = "queue"

    def __init__(self) -> None:
        self.tracer = ListTracer()
        self.engine = FakeEngine(lambda request: words("a", "b"))
        self.metrics = Metrics()
        self.records: list[QueueRecord] = []
        self.replies: list[ReplyRecord] = []
        self.searches: list[Search] = []
        self.stepped_down: list[str] = []
        self._read = 0

    def append_queue(self, p: int, record: QueueRecord, on_ack: OnAck | None) -> None:
        self.records.append(record)
        if on_ack:
            on_ack(len(self.records) - 1)

    def append_reply(self, r: int, record: ReplyRecord, on_ack: OnAck | None) -> None:
        self.replies.append(record)
        if on_ack:
            on_ack(len(self.replies) - 1)

    def read_from(self, p: int, offset: int) -> None:
        self._read = offset

    def search(self, r: int, search: Search) -> None:
        self.searches.append(search)

    def fetch_committed(self, owner: Owner, epoch: int) -> None:
        owner.begin(epoch, Committed())

    def changed(self) -> None:
        """Nothing takes by itself here."""

    def step_down(self, owner: Owner, reason: str) -> None:
        self.stepped_down.append(reason)
        owner.close()

    def settle(self, owner: Owner) -> None:
        """Let the owner read all of p that it has not read."""
        while self._read < len(self.records):
            offset, self._read = self._read, self._read + 1
            owner.read([(offset, self.records[offset])])


def request(draft: MakeDraft) -> Request:
    made = draft()
    place = Address(incarnation=b"test", topic=0, p=0, known=0, r=0, reply_from=0)
    return made.request(address.issue(place, "chat", made.tenant, b"k" * 32), "reader", 2_000_000_000_000)


def begin(ground: FakeGround, *records: QueueRecord) -> Owner:
    ground.records += records
    owner = Owner(0, "worker", ground)
    owner.assigned()
    ground.settle(owner)
    return owner


def take(ground: FakeGround, owner: Owner) -> None:
    (waiting,) = owner.waiting()
    assert ground.engine.place is not None
    owner.take(waiting, ground.engine.place)
    ground.settle(owner)


async def test_a_fresh_request_is_claimed_spoken_and_done(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    asked = request(draft)
    owner = begin(ground, asked)
    take(ground, owner)
    await until(lambda: isinstance(ground.records[-1], Done))
    ground.settle(owner)
    assert [type(record) for record in ground.records] == [Request, Epoch, Claim, Done]
    assert [type(record) for record in ground.replies] == [Head, Frame, Frame]
    assert owner.running == 0
    assert owner.committable == Committed(4, 1)


def spoken(asked: Request) -> History:
    """What another owner said: the first frame of `a`, `b`."""
    history = History()
    history.frame(Frame(asked.id, 0, 0, 0, [1000], b"{}"))
    return history


async def test_what_another_claimed_and_spoke_goes_on_after_its_words(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    asked = request(draft)
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    ground.searches[0].on_found(spoken(asked))
    await until(lambda: isinstance(ground.records[-1], Done))
    (order,) = ground.engine.orders
    assert order.history is not None
    assert (order.partition, order.epoch) == ("queue/0", 3)
    frames = [record for record in ground.replies if isinstance(record, Frame)]
    assert [(frame.index, list(frame.tokens)) for frame in frames] == [(1, [1001])]
    assert ground.metrics.rebuilds._value.get() == 1


async def test_where_no_engine_goes_on_what_another_spoke_ends_as_lost(draft: MakeDraft) -> None:
    ground = FakeGround()
    assert ground.engine.place is not None
    ground.engine.place = structs.replace(ground.engine.place, goes_on=False)
    asked = request(draft)
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    ground.searches[0].on_found(spoken(asked))
    last = ground.replies[-1]
    assert isinstance(last, Frame)
    assert last.final is not None
    assert last.final.failure is not None
    assert last.final.failure.code == "worker_lost"
    assert owner.running == 0
    assert ground.engine.given_back == [ground.engine.place]


async def test_hosts_hear_of_an_owner_before_it_acts_and_no_longer_than_that(draft: MakeDraft) -> None:
    ground = FakeGround()
    asked = request(draft)
    owner = Owner(0, "worker", ground)
    ground.records += [Epoch("dead", "nonce"), asked, Claim(asked.id, 0, "host", "life")]
    owner.assigned()
    assert ground.engine.fences == {"queue/0": 3}
    assert list(owner.waiting()) == []
    ground.settle(owner)
    assert owner.claimed(asked) == Claimed("queue/0", "host", "life")
    owner.close()
    assert ground.engine.fences == {}


async def test_a_lost_engine_is_replaced_after_the_words_that_were_said(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    gate: asyncio.Queue[None] = asyncio.Queue()
    ground.engine = FakeEngine(lambda request: words("a", "b", "c"), pace=gate.get)
    asked = request(draft)
    owner = begin(ground, asked)
    take(ground, owner)
    gate.put_nowait(None)
    await until(lambda: isinstance(ground.replies[-1], Frame))
    ground.engine.running[asked.id].lose()
    (run,) = owner.homeless
    assert owner.running == 1
    assert ground.engine.place is not None
    owner.move(run, ground.engine.place)
    assert owner.homeless == []
    history = History()
    for record in ground.replies:
        history.read(record)
    ground.settle(owner)
    ground.searches[0].on_found(history)
    for _ in range(3):
        gate.put_nowait(None)
    await until(lambda: isinstance(ground.records[-1], Done))
    assert [type(record) for record in ground.replies] == [Head, Frame, Head, Frame, Frame]
    assert [type(record) for record in ground.records] == [Request, Epoch, Claim, Claim, Done]


async def test_a_generation_that_takes_three_engines_with_it_ends(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    ground.engine = FakeEngine(lambda request: words("a"), pace=asyncio.Event().wait)
    asked = request(draft)
    owner = begin(ground, asked)
    take(ground, owner)
    assert ground.engine.place is not None
    for life in ("the second", "the third"):
        ground.engine.running[asked.id].lose()
        owner.move(owner.homeless[0], structs.replace(ground.engine.place, incarnation=life))
        if ground.searches:
            ground.searches.pop().on_found(History())
    ground.engine.running[asked.id].lose()
    last = ground.replies[-1]
    assert isinstance(last, Frame)
    assert last.final is not None
    assert last.final.failure is not None
    assert last.final.failure.code == "engine_failed"
    assert owner.running == 0


async def test_who_waits_for_another_engine_has_the_queues_deadline(draft: MakeDraft) -> None:
    ground = FakeGround()
    ground.engine = FakeEngine(lambda request: words("a"), pace=asyncio.Event().wait)
    owner = begin(ground, request(draft))
    take(ground, owner)
    next(iter(ground.engine.running.values())).lose()
    now = asyncio.get_running_loop().time()
    owner.expire(now + 299)
    assert owner.running == 1
    owner.expire(now + 301)
    assert owner.running == 0
    assert owner.homeless == []


async def test_what_another_claimed_and_never_began_begins(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    asked = request(draft)
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    ground.searches[0].on_found(History())
    await until(lambda: isinstance(ground.records[-1], Done))
    last = ground.replies[-1]
    assert isinstance(last, Frame)
    assert last.final is not None
    assert last.final.outcome is Outcome.FINISHED


async def test_what_can_not_be_read_again_ends(draft: MakeDraft) -> None:
    ground = FakeGround()
    asked = request(draft)
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    ground.searches[0].on_failed(Final(Outcome.HISTORY_EXPIRED))
    last = ground.replies[-1]
    assert isinstance(last, Frame)
    assert last.final == Final(Outcome.HISTORY_EXPIRED)
    assert owner.running == 0


async def test_a_higher_epoch_ends_it_and_its_runs(draft: MakeDraft) -> None:
    ground = FakeGround()
    owner = begin(ground, request(draft))
    take(ground, owner)
    ground.records.append(Epoch("other", "nonce"))
    ground.settle(owner)
    assert len(ground.stepped_down) == 1
    assert owner.running == 0
    said = len(ground.replies)
    owner.read([])
    assert len(ground.replies) == said
    assert len(ground.engine.released) == 1


async def test_a_frame_that_the_log_can_not_hold_ends_its_generation_alone(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    huge = EngineFrame(0, (1,), b"x" * (codec.MAX_RECORD_BYTES + 1))
    ground.engine = FakeEngine(lambda request: [[EngineFrame(0, (0,), b"{}")], [huge], *words("never")])
    asked = request(draft)
    owner = begin(ground, asked)
    take(ground, owner)
    await until(lambda: isinstance(ground.records[-1], Done))
    frames = [record for record in ground.replies if isinstance(record, Frame)]
    assert [list(frame.tokens) for frame in frames] == [[0], []]
    assert frames[-1].final is not None
    assert frames[-1].final.failure is not None
    assert frames[-1].final.failure.code == "engine_failed"
    await until(lambda: ground.engine.stopped == [asked.id])
    assert owner.running == 0


async def test_a_taking_over_that_lasts_too_long_gives_its_place_back_and_ends(draft: MakeDraft) -> None:
    ground = FakeGround()
    asked = structs.replace(request(draft), created_ms=0)
    owner = begin(ground, Epoch("dead", "nonce"), asked, Claim(asked.id, 0))
    take(ground, owner)
    assert owner.running == 1
    owner.expire(asyncio.get_running_loop().time())
    assert owner.running == 0
    ground.searches[0].on_found(History())
    last = ground.replies[-1]
    assert isinstance(last, Frame)
    assert last.final is not None
    assert last.final.failure is not None
    assert last.final.failure.code == "deadline_exceeded"


async def test_each_leaving_has_its_whole_grace(draft: MakeDraft, until: Until) -> None:
    ground = FakeGround()
    ground.engine = FakeEngine(lambda request: words("a"), pace=asyncio.Event().wait)
    asked = structs.replace(request(draft), grace_s=0.3)
    owner = begin(ground, asked)
    take(ground, owner)
    ground.records.append(Detach(asked.id, asked.reader))
    ground.settle(owner)
    (former,) = owner._lingering.values()
    ground.records += [Attach(asked.id, "other"), Detach(asked.id, "other")]
    ground.settle(owner)
    assert former.cancelled()
    await until(lambda: owner.running == 0)
    assert not owner._lingering
