"""Random walks: workers come, break, die, wake again and take over from each other; each token comes once, in order."""

import random
from collections.abc import Sequence

import pytest
from hosting_stage import Stage, adoption, frames

from inferno_core import session as wire
from inferno_core.hosted import Row
from inferno_core.session import Ack, Cancel, Fence, Message, Piece, Release, Submit

IDS = ("g0", "g1", "g2", "g3")


class Worker:
    """A worker under one epoch. What it reads goes to the log while no higher epoch stands there. `seen` is the last
    message that this session read under a former epoch.
    """

    def __init__(self, walk: "Walk", name: str, epoch: int, seen: int = 0) -> None:
        self.walk = walk
        self.name = name
        self.epoch = epoch
        self.handles: dict[int, str] = {}
        self.seen = seen
        self.at = 0
        self.ear = walk.stage.attach(name, seen=seen)

    def take_over(self) -> None:
        """Fence, sometimes so early that the former owner still reads, and adopt after what stands in the log."""
        if self.walk.random.random() < 0.5:
            self.walk.stage.say(self.name, Fence("q/0", self.epoch))
            self.walk.wake()
        asked = {self.walk.handle(): id for id in IDS}
        logs = {id: list(self.walk.logs[id]) for id in IDS}
        self.walk.stage.say(
            self.name, *(adoption(handle, logs[id], id, epoch=self.epoch) for handle, id in asked.items())
        )
        told = self.ear.adoptions()
        self.handles = asked
        for handle, id in asked.items():
            if not told[handle]:
                self.rebuild(id)

    def rebuild(self, id: str) -> None:
        log = self.walk.logs[id]
        pieces = tuple(Piece(choice, tuple(tokens)) for choice, tokens, _, _ in log)
        handle = self.walk.handle()
        self.handles[handle] = id
        submit = Submit(handle, id, "q/0", self.epoch, "chat", b"{}", accepted=pieces)
        self.walk.stage.say(self.name, submit)
        self.walk.begin(id, log)

    def read(self, most: int) -> None:
        """Read some messages, and append what they say to the log."""
        for message in self.ear.messages[self.at : self.at + most]:
            self.at += 1
            self._read(message)

    def _read(self, message: Message) -> None:
        if message.number:
            if message.number <= self.seen:
                return
            assert message.number == self.seen + 1
            self.seen = message.number
        for handle, row in frames(message):
            if handle in self.handles and self.walk.owner is self:
                self.walk.logs[self.handles[handle]].append(row)

    def acknowledge(self) -> None:
        self.walk.stage.say(self.name, Ack(self.seen))

    def break_off(self) -> None:
        """The connection breaks; what was on its way is lost."""
        if not self.ear.final:
            self.walk.stage.hang_up(self.ear)
        self.ear = self.walk.stage.attach(self.name, seen=self.seen)
        self.at = 0

    def meddle(self) -> None:
        """What a worker does that does not know yet that it is none any more."""
        handles = tuple(self.handles)
        id = self.walk.random.choice(IDS)
        command: wire.Command = self.walk.random.choice(
            (
                Cancel(handles),
                Release(handles),
                Ack(10_000),
                Fence("q/0", self.epoch),
                Submit(self.walk.handle(), id, "q/0", self.epoch, "chat", b"{}"),
            )
        )
        self.walk.stage.say(self.name, command)


class Walk:
    """Four generations in one partition, and what happens to them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stage = Stage(slots=16)
        self.made = dict.fromkeys(IDS, 0)
        self.logs: dict[str, list[Row]] = {id: [] for id in IDS}
        self.former: list[Worker] = []
        self.epoch = self.last_handle = self.rebuilt = 0
        self.owner = Worker(self, "w0", 0)
        for id in IDS:
            self.owner.rebuild(id)

    def handle(self) -> int:
        self.last_handle += 1
        return self.last_handle

    def begin(self, id: str, log: Sequence[Row]) -> None:
        """The engine goes on after what stands in the log."""
        self.made[id] = sum(len(row[1]) for row in log)
        self.rebuilt += 1

    def step(self) -> None:
        acts = (self.work, self.work, self.work, self.read, self.read, self.acknowledge, self.trouble)
        self.random.choice(acts)()

    def work(self) -> None:
        """The engine makes some frames, of none to two tokens each."""
        for id in IDS:
            if id not in self.stage.host.runs:
                continue
            for _ in range(self.random.randrange(3)):
                start = self.made[id]
                self.made[id] += self.random.randrange(3)
                self.stage.gain(id, *range(start, self.made[id]))
        self.stage.turn(self.random.choice((0.0, 0.02, 1.0)))

    def read(self) -> None:
        self.owner.read(self.random.randrange(5))

    def acknowledge(self) -> None:
        self.owner.acknowledge()

    def trouble(self) -> None:
        self.random.choice((self.owner.break_off, self.owner.break_off, self.wake, self.take_over))()

    def take_over(self) -> None:
        """A new worker, or the same one anew, owns the partition now."""
        self.epoch += 1
        former = self.owner
        if self.random.random() < 0.3:
            self.owner = Worker(self, former.name, self.epoch, former.seen)
        else:
            self.former.append(former)
            self.owner = Worker(self, f"w{self.epoch}", self.epoch)
        self.owner.take_over()

    def wake(self) -> None:
        """A former owner goes on as if it still were one."""
        awake = [worker for worker in self.former if worker.name in self.stage.host.audience.sessions]
        if awake:
            self.random.choice(awake).meddle()

    def check(self) -> None:
        """Read to the end: the log has every token of each generation once and in order."""
        self.stage.turn(1.0)
        self.owner.read(10_000)
        for id, log in self.logs.items():
            assert id in self.stage.host.runs
            assert [token for row in log for token in row[1]] == list(range(self.made[id]))


@pytest.mark.parametrize("seed", range(200))
def test_no_token_is_lost_or_comes_twice(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(120):
        walk.step()
    walk.check()


def test_who_fences_first_has_nothing_rebuilt() -> None:
    """Unless an owner acknowledged what is not in the log, all runs go on."""
    rebuilt = 0
    for seed in range(50):
        walk = Walk(seed)
        for _ in range(120):
            walk.step()
        rebuilt += walk.rebuilt - len(IDS)
    assert rebuilt == 0
