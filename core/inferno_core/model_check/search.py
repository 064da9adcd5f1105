"""Visit every state of a small scenario, or walk at random through a larger one; find what breaks a property."""

import hashlib
import io
import pickle
import random
from collections import deque
from collections.abc import Callable
from typing import cast

from msgspec import Struct

from inferno_core.address import Address
from inferno_core.effects import Committed, EngineFrame
from inferno_core.model_check.properties import Violation
from inferno_core.model_check.world import Model, World
from inferno_core.records import Attach, Cancel, Claim, Detach, Done, Epoch, Final, Frame, Head, Request

_QUIET_STEPS = 1_000
_REST = "no trouble strikes any more, and the owner works on to the end"


class Counterexample(Struct, frozen=True):
    """How a property was broken: the steps that led there."""

    broken: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        """Print the steps, numbered, and what they break."""
        lines = [f"{number:3}. {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join([*lines, f"⇒ {self.broken}"])


class Result(Struct, frozen=True):
    """What a search saw. `exhausted` says that no state was left unvisited."""

    states: int
    exhausted: bool
    found: Counterexample | None = None


def exhaust(model: Model, *, most: int, quiet_every: int = 100) -> Result:
    """Visit states breadth first, up to `most`, each once; let every `quiet_every`th come to rest.

    The first counterexample is thus among the shortest.
    """
    first = _freeze(model.start())
    parents: dict[bytes, tuple[bytes, str]] = {_digest(first): (b"", "")}
    frontier = deque([(_digest(first), first)])
    while frontier:
        here, frozen = frontier.popleft()
        for step in list(model.steps(_thaw(frozen))):
            world = _thaw(frozen)
            trail = [step.label]
            try:
                step.apply(world)
                after = _freeze(world)
                if len(parents) % quiet_every == 0:
                    trail.append(_REST)
                    come_to_rest(model, world)
            except Violation as violation:
                steps = (*_trail(parents, here), *trail)
                return Result(len(parents), exhausted=False, found=Counterexample(str(violation), steps))
            if (there := _digest(after)) not in parents:
                if len(parents) >= most:
                    return Result(len(parents), exhausted=False)
                parents[there] = (here, step.label)
                frontier.append((there, after))
    return Result(len(parents), exhausted=True)


def walk(model: Model, seed: int, *, steps: int) -> Result:
    """Take up to `steps` random steps, then come to rest."""
    choose = random.Random(seed)  # noqa: S311 - a seeded walk must be repeatable.
    world = model.start()
    trail: list[str] = []
    try:
        for _ in range(steps):
            possible = list(model.steps(world))
            if not possible:
                break
            step = choose.choice(possible)
            trail.append(step.label)
            step.apply(world)
        trail.append(_REST)
        come_to_rest(model, world)
    except Violation as violation:
        return Result(len(trail), exhausted=False, found=Counterexample(str(violation), tuple(trail)))
    return Result(len(trail), exhausted=False)


def wander(model: Model, count: int) -> Result:
    """Walk with the seeds below `count`, until a walk finds something. `states` counts steps."""
    steps = 0
    for seed in range(count):
        result = walk(model, seed, steps=200)
        steps += result.states
        if result.found is not None:
            return Result(steps, exhausted=False, found=result.found)
    return Result(steps, exhausted=False)


def come_to_rest(model: Model, world: World) -> None:
    """Let no trouble strike any more: the owner alone goes on, its former ones are silent. Raises `Violation`."""
    world.left.clear()
    owner = world.owner
    for number, worker in enumerate(world.workers):
        if number != owner:
            model.silence(worker)
    for _ in range(_QUIET_STEPS):
        if world.workers[owner].partition is None:
            model.assign(world, owner)
        step = next(model.steps(world), None)
        if step is None:
            break
        step.apply(world)
    else:
        raise Violation("the system does not come to rest")
    partition = world.workers[owner].partition
    if partition is None or not partition.live:
        raise Violation("the owner never begins to act")
    world.watch.at_rest(model.scenario.tokens)


def _trail(parents: dict[bytes, tuple[bytes, str]], digest: bytes) -> list[str]:
    labels: list[str] = []
    while (parent := parents[digest])[0]:
        digest, label = parent
        labels.append(label)
    return labels[::-1]


_recorded: list[Struct] = []
_numbers: dict[Struct, int] = {}


def _recall(number: int) -> Struct:
    return _recorded[number]


def _by_number(record: Struct) -> tuple[Callable[[int], Struct], tuple[int]]:
    """Write a record as its number: records never change, so worlds can share them (three times as fast)."""
    number = _numbers.setdefault(record, len(_recorded))
    if number == len(_recorded):
        _recorded.append(record)
    return _recall, (number,)


_RECORDS = (Address, Request, Epoch, Claim, Attach, Detach, Cancel, Done, Head, Frame, Final, Committed, EngineFrame)


def _freeze(world: World) -> bytes:
    """Write a world as bytes that are the same for the same world, however it came about."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=5)
    pickler.fast = True  # Without the memo, equal and identical objects look the same.
    pickler.dispatch_table = dict.fromkeys(_RECORDS, _by_number)
    pickler.dump(world)
    return buffer.getvalue()


def _thaw(frozen: bytes) -> World:
    return cast("World", pickle.loads(frozen))  # noqa: S301 - written a moment ago by this process.


def _digest(frozen: bytes) -> bytes:
    return hashlib.blake2b(frozen, digest_size=12).digest()
