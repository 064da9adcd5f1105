"""A log, a group, workers, engines, and every step that may happen next.

What a worker appends is first on the wire, in order, and lands at some later step, even if the worker has died or lost
the partition by then. A worker that is not scheduled is one that sleeps.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from inferno_core.acceptance import History
from inferno_core.effects import (
    AppendQueue,
    AppendReply,
    Committed,
    Effect,
    EngineFrame,
    Linger,
    ReadFrom,
    Resume,
    Scan,
    Start,
    StepDown,
    Stop,
)
from inferno_core.model_check.properties import Watch
from inferno_core.model_check.scenario import Rules, Scenario, Trouble
from inferno_core.ownership import Partition
from inferno_core.records import Epoch, Final, Frame, Outcome, QueueRecord, ReplyRecord, Request


class Run:
    """An engine's run of a request: it was given `given` accepted tokens and makes the rest.

    A token says which run made it, and where: so a splice of two runs shows.
    """

    def __init__(self, serial: int, id: str, given: tuple[int, ...], length: int) -> None:
        self.serial = serial
        self.id = id
        self.given = given
        self.at = len(given)
        self.length = length

    def step(self) -> EngineFrame:
        """Make the next token, or the end alone where there is none to make."""
        tokens = (self.serial * 100 + self.at,) if self.at < self.length else ()
        self.at += 1
        ended = self.at >= self.length
        final = Final(Outcome.FINISHED) if ended else None
        return EngineFrame(choice=0, tokens=tokens, delta=b"", finish="stop" if ended else None, final=final)

    @property
    def over(self) -> bool:
        """Whether the run has given its final frame."""
        return self.at >= max(self.length, len(self.given) + 1)


class Worker:
    """A worker: its view of the partition, what it has on the wire, the runs that it drives, and those that it lost."""

    def __init__(self) -> None:
        self.partition: Partition | None = None
        self.cursor: int | None = None
        self.queue_wire: list[QueueRecord] = []
        self.reply_wire: list[ReplyRecord] = []
        self.acks: list[tuple[ReplyRecord, int]] = []
        self.epoch_ack: int | None = None
        self.commit_wire: Committed | None = None
        self.runs: dict[str, Run] = {}
        self.lost: list[str] = []


class Step(NamedTuple):
    """Something that may happen next: `label` for people, the deed and what it is told besides the world."""

    label: str
    deed: Callable[..., None]
    told: tuple[object, ...] = ()

    def apply(self, world: "World") -> None:
        """Let it happen."""
        self.deed(world, *self.told)


class World:
    """One state of everything."""

    def __init__(self, scenario: Scenario) -> None:
        self.queue: list[QueueRecord] = []
        self.reply: list[ReplyRecord] = []
        self.committed = Committed()
        self.owner = -1
        self.workers = [Worker() for _ in range(scenario.workers)]
        self.said = 0
        self.left = dict(scenario.bounds)
        self.serial = 0
        self.watch = Watch()


class Model:
    """The steps of a scenario under some rules."""

    def __init__(self, scenario: Scenario, rules: Rules) -> None:
        self.scenario = scenario
        self.rules = rules

    def start(self) -> World:
        """Everything at rest, the partition given to the first worker."""
        world = World(self.scenario)
        world.watch.acceptance = self.rules.acceptance
        self.assign(world, 0)
        return world

    def steps(self, world: World) -> Iterator[Step]:
        """Every step that may happen next."""
        if world.said < len(self.scenario.script):
            yield Step("a client speaks", self.speak)
        for number, worker in enumerate(world.workers):
            yield from self._wires(number, worker)
            if worker.partition is not None:
                yield from self._deeds(world, number, worker.partition)
        yield from self._troubles(world)

    def _wires(self, number: int, worker: Worker) -> Iterator[Step]:
        """What a worker sent may land, be it alive or not."""
        if worker.queue_wire:
            kind = type(worker.queue_wire[0]).__name__
            yield Step(f"worker {number}'s {kind} lands", self.land_queue, (number,))
        if worker.reply_wire:
            kind = type(worker.reply_wire[0]).__name__
            yield Step(f"worker {number}'s {kind} lands", self.land_reply, (number,))
        if worker.acks:
            yield Step(f"worker {number} hears an acknowledgement", self.hear, (number,))
        if worker.commit_wire is not None:
            yield Step(f"worker {number}'s commit lands", self.land_commit, (number,))

    def _deeds(self, world: World, number: int, partition: Partition) -> Iterator[Step]:
        """What a living worker may do next."""
        worker = world.workers[number]
        if worker.epoch_ack is not None:
            yield Step(f"worker {number} hears of its epoch", self.hear_epoch, (number,))
        if worker.cursor is not None and worker.cursor < len(world.queue):
            yield Step(f"worker {number} reads", self.read, (number,))
        if partition.live:
            for request in partition.waiting:
                yield Step(f"worker {number} takes", self.take, (number, request.id))
        for id, run in worker.runs.items():
            if not run.over:
                yield Step(f"worker {number}'s engine steps", self.engine_step, (number, id))
        for id in worker.lost:
            yield Step(f"worker {number} finds another engine", self.move, (number, id))

    def _troubles(self, world: World) -> Iterator[Step]:
        """What may go wrong next."""
        for number, worker in enumerate(world.workers):
            if world.left.get(Trouble.ASSIGN, 0):
                yield Step(f"the group assigns worker {number}", self.strike, (Trouble.ASSIGN, self.assign, number))
            if worker.partition is None:
                continue
            if world.left.get(Trouble.KILL, 0):
                yield Step(f"worker {number} dies", self.strike, (Trouble.KILL, self.kill, number))
            if world.left.get(Trouble.COMMIT, 0) and worker.partition.live and worker.commit_wire is None:
                yield Step(f"worker {number} commits", self.strike, (Trouble.COMMIT, self.send_commit, number))
            if world.left.get(Trouble.LOSE, 0) and worker.runs:
                yield Step(f"worker {number}'s engine dies", self.strike, (Trouble.LOSE, self.lose, number))

    # The steps.

    def speak(self, world: World) -> None:
        """A client's next record is appended."""
        self._append_queue(world, self.scenario.script[world.said])
        world.said += 1

    def land_queue(self, world: World, number: int) -> None:
        """The first of a worker's records on the wire to p stands there."""
        worker = world.workers[number]
        record = worker.queue_wire.pop(0)
        offset = self._append_queue(world, record)
        partition = worker.partition
        if isinstance(record, Epoch) and partition is not None and partition.nonce == record.nonce:
            worker.epoch_ack = offset
            if not self.scenario.late_acks:
                self.hear_epoch(world, number)

    def hear_epoch(self, world: World, number: int) -> None:
        """A worker hears where its epoch record stands, and only then looks up what is committed."""
        worker = world.workers[number]
        assert worker.partition is not None
        assert worker.epoch_ack is not None
        worker.partition.epoch_acked(worker.epoch_ack, world.committed)
        worker.epoch_ack = None
        self._perform(world, number)

    def land_reply(self, world: World, number: int) -> None:
        """The first of a worker's records on the wire to r stands there."""
        worker = world.workers[number]
        record = worker.reply_wire.pop(0)
        world.reply.append(record)
        world.watch.replied(record)
        worker.acks.append((record, len(world.reply) - 1))
        if not self.scenario.late_acks:
            self.hear(world, number)

    def hear(self, world: World, number: int) -> None:
        """A worker hears that a reply record of its own was acknowledged."""
        worker = world.workers[number]
        record, offset = worker.acks.pop(0)
        partition = worker.partition
        if partition is None or record.epoch != partition.epoch:
            return
        if not isinstance(record, Frame):
            partition.head_acked(record.id, offset)
        elif record.final is not None:
            partition.final_acked(record.id)
        self._perform(world, number)

    def send_commit(self, world: World, number: int) -> None:
        """A worker commits what it may."""
        worker = world.workers[number]
        assert worker.partition is not None
        worker.commit_wire = worker.partition.committable

    def land_commit(self, world: World, number: int) -> None:
        """A worker's commit is in force."""
        worker = world.workers[number]
        assert worker.commit_wire is not None
        world.committed, worker.commit_wire = worker.commit_wire, None
        world.watch.committed(world.committed)

    def read(self, world: World, number: int) -> None:
        """A worker reads the next record of p."""
        worker = world.workers[number]
        assert worker.partition is not None
        assert worker.cursor is not None
        offset = worker.cursor
        worker.cursor += 1
        worker.partition.read(offset, world.queue[offset])
        self._perform(world, number)

    def take(self, world: World, number: int, id: str) -> None:
        """A worker has room for a request."""
        partition = world.workers[number].partition
        assert partition is not None
        partition.take(id)
        self._perform(world, number)

    def engine_step(self, world: World, number: int, id: str) -> None:
        """An engine makes a token."""
        worker = world.workers[number]
        frame = worker.runs[id].step()
        if worker.partition is not None:
            worker.partition.frame(id, frame)
            self._perform(world, number)

    def assign(self, world: World, number: int) -> None:
        """The group gives p to a worker, which knows of it; the former owner does not."""
        world.owner = number
        worker = world.workers[number]
        worker.runs.clear()
        worker.lost.clear()
        worker.cursor = None
        worker.epoch_ack = None
        world.serial += 1
        worker.partition = self.rules.partition(f"worker {number}", str(world.serial))
        worker.partition.assigned()
        self._perform(world, number)

    def kill(self, world: World, number: int) -> None:
        """A worker dies, and its runs with it."""
        self._stop(world.workers[number])

    def lose(self, world: World, number: int) -> None:
        """The engine that runs a worker's requests dies."""
        worker = world.workers[number]
        worker.lost += worker.runs
        worker.runs.clear()

    def move(self, world: World, number: int, id: str) -> None:
        """A worker has room elsewhere for a request whose engine died."""
        worker = world.workers[number]
        assert worker.partition is not None
        worker.lost.remove(id)
        worker.partition.move(id)
        self._perform(world, number)

    def strike(self, world: World, kind: Trouble, trouble: Callable[[World, int], None], number: int) -> None:
        """Trouble strikes a worker, as often as the scenario has it."""
        world.left[kind] -= 1
        trouble(world, number)

    def silence(self, worker: Worker) -> None:
        """A worker is heard of no more, and nothing that it sent lands."""
        self._stop(worker)
        worker.queue_wire.clear()
        worker.reply_wire.clear()
        worker.acks.clear()
        worker.commit_wire = None

    # What steps share.

    def _append_queue(self, world: World, record: QueueRecord) -> int:
        offset = len(world.queue)
        world.queue.append(record)
        world.watch.queued(offset, record)
        return offset

    def _stop(self, worker: Worker) -> None:
        worker.partition = None
        worker.epoch_ack = None
        worker.cursor = None
        worker.runs.clear()
        worker.lost.clear()

    def _perform(self, world: World, number: int) -> None:
        """Carry out what a worker's partition asked for."""
        worker = world.workers[number]
        partition = worker.partition
        assert partition is not None
        for effect in partition.drain():
            self._carry_out(world, number, partition, effect)

    def _carry_out(self, world: World, number: int, partition: Partition, effect: Effect) -> None:
        worker = world.workers[number]
        match effect:
            case AppendQueue(record):
                worker.queue_wire.append(record)
            case AppendReply(_, record):
                worker.reply_wire.append(record)
            case ReadFrom(offset):
                worker.cursor = offset
            case Start(request):
                self._run(world, worker, partition, request, ())
            case Resume(request, history):
                given = tuple(token for frame in history.frames for token in frame.tokens)
                self._run(world, worker, partition, request, given)
            case Stop(id):
                worker.runs.pop(id, None)
                worker.lost = [lost for lost in worker.lost if lost != id]
            case Scan():
                partition.scanned(effect.id, self._scan(world, effect))
                self._perform(world, number)
            case StepDown():
                self._step_down(world, number)
            case Linger():
                partition.linger_over(effect.id)
                self._perform(world, number)

    def _scan(self, world: World, scan: Scan) -> History:
        history = self.rules.history()
        for record in world.reply[scan.start : scan.stop + 1]:
            if record.id == scan.id:
                history.read(record)
        return history

    def _run(
        self, world: World, worker: Worker, partition: Partition, request: Request, given: tuple[int, ...]
    ) -> None:
        world.serial += 1
        world.watch.run(world.serial, request.id, given, partition.epoch)
        worker.runs[request.id] = Run(world.serial, request.id, given, self.scenario.tokens)

    def _step_down(self, world: World, number: int) -> None:
        self._stop(world.workers[number])
        if world.owner == number:
            self.assign(world, number)
