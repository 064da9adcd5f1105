"""One way to set up the engine, served by a Triton of its own and driven as a worker does."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from inferno_engine.environment import Environment
from inferno_engine.measuring import host
from inferno_engine.measuring.host import Version
from inferno_engine.measuring.load import Load
from inferno_engine.measuring.sessions import SessionDriver
from inferno_engine.tuning.journal import Rates
from inferno_engine.tuning.settings import Settings


class Target(NamedTuple):
    """What is tuned: a model with its config.pbtxt, its weights if it has any, and where engines for it run."""

    name: str
    config: str
    weights: Path | None
    environment: Environment
    load_timeout_s: float

    def version(self, settings: Settings) -> Version:
        """Give the version that has these settings."""
        weights = {"model": str(self.weights)} if self.weights else {}
        return Version(self.name, self.config, {**settings.document(), **weights})


class Plan(Struct, frozen=True):
    """How much is measured: numbers of streams with the tokens of each stream, and how often."""

    loads: tuple[tuple[int, int], ...]
    rounds: int


THOROUGH = Plan(((1, 96), (8, 64), (32, 48)), rounds=3)
QUICK = Plan(((1, 32), (8, 24), (32, 16)), rounds=2)


class Bench(NamedTuple):
    """Settings that are served."""

    settings: Settings
    driver: SessionDriver


@asynccontextmanager
async def opened(target: Target, settings: Settings, folder: Path) -> AsyncGenerator[Bench]:
    """Serve `settings` in `folder`, Raises InfernoError when they can't be served."""
    version = target.version(settings)
    async with host.serve(folder.name, target.environment, folder, version, target.load_timeout_s) as served:
        yield Bench(settings, SessionDriver(served.address, served.model))


async def compare(trial: Bench, best: Bench, plan: Plan) -> Sequence[Rates]:
    """Measure two in turn, so that whatever else the machine does disturbs both alike."""
    await _warm(trial, plan)
    await _warm(best, plan)
    measured: dict[int, tuple[list[float], list[float]]] = {streams: ([], []) for streams, _ in plan.loads}
    for round in range(1, plan.rounds + 1):
        for streams, tokens in plan.loads:
            # Who goes first changes: the second may find a warmer machine.
            pair = ((0, trial), (1, best)) if round % 2 else ((1, best), (0, trial))
            for place, bench in pair:
                result = await bench.driver.run(Load(streams, tokens, round))
                measured[streams][place].append(result.rate)
    return [Rates(streams, median(mine), median(theirs)) for streams, (mine, theirs) in measured.items()]


async def _warm(bench: Bench, plan: Plan) -> None:
    """Let the engine see each number of streams once: the first step of a shape takes longer."""
    for streams, _ in plan.loads:
        await bench.driver.run(Load(streams, 2, 0))
