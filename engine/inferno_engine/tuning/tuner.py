"""Runs a search: serves each trial beside the best so far, checks what it says, and measures both in turn."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from inferno_core.errors import InfernoError, InvalidRequest
from inferno_engine.tuning import agreement, bench
from inferno_engine.tuning.agreement import Answers
from inferno_engine.tuning.bench import Bench, Plan, Target
from inferno_engine.tuning.factors import Factor, Machine
from inferno_engine.tuning.journal import Entry, Journal
from inferno_engine.tuning.search import Search, Trial
from inferno_engine.tuning.settings import Settings

Report = Callable[[str, str, Entry | None], None]
"""Is told a factor and its value when it is begun, and again with what came of it."""


class _Serving(NamedTuple):
    """A bench that is open, and what closes it."""

    bench: Bench
    stack: AsyncExitStack
    folder: Path


class Tuner:
    """Tunes `target`, with everything that it starts and keeps in `folder`."""

    def __init__(self, target: Target, plan: Plan, folder: Path, report: Report) -> None:
        self._target = target
        self._plan = plan
        self._plan_key = msgspec.json.encode(plan).decode()
        self._folder = folder
        self._report = report
        self._journal = Journal(folder / "journal.jsonl")
        self._expected: Answers | None = None
        self._best: _Serving | None = None
        self._tried: _Serving | None = None

    async def run(self, start: Settings, factors: Sequence[Factor], machine: Machine) -> Settings:
        """Give the fastest settings that were found. Raises InfernoError; cancelled, it ends all that it started."""
        search = Search(start, factors, machine)
        try:
            while (trial := search.next()) is not None:
                self._report(trial.factor, trial.value, None)
                entry = self._journal.find(self._plan_key, trial) or await self._judge(trial)
                await self._settle(better=search.tell(trial, entry.gain))
                self._report(trial.factor, trial.value, entry)
        finally:
            await _end(self._tried)
            await _end(self._best)
        return search.best

    async def _judge(self, trial: Trial) -> Entry:
        entry = Entry(self._plan_key, trial.factor, trial.value, trial.settings.key, trial.best.key)
        best = await self._serve_best(trial.best)
        try:
            entry = await self._measure(entry, trial, best)
        except InfernoError as error:
            if await self._is_broken(best):
                raise
            entry = msgspec.structs.replace(entry, out=f"failed: {error.message}")
        self._journal.add(entry)
        return entry

    async def _measure(self, entry: Entry, trial: Trial, best: Bench) -> Entry:
        tried = await self._open(trial.settings)
        said = agreement.disagreement(await self._reference(best), *await agreement.ask(tried.bench.driver))
        if said:
            return msgspec.structs.replace(entry, out=f"disagrees: {said}")
        rates = await bench.compare(tried.bench, best, self._plan)
        return msgspec.structs.replace(entry, rates=tuple(rates))

    async def _open(self, settings: Settings) -> "_Serving":
        """Serve a trial, in the one of two folders that the best does not have."""
        folder = self._folder / ("b" if self._best and self._best.folder.name == "a" else "a")
        stack = AsyncExitStack()
        opened = await stack.enter_async_context(bench.opened(self._target, settings, folder))
        self._tried = _Serving(opened, stack, folder)
        return self._tried

    async def _settle(self, *, better: bool) -> None:
        """End whichever of trial and best has lost."""
        tried, self._tried = self._tried, None
        if better and tried is not None:
            self._best, tried = tried, self._best
        await _end(tried)

    async def _serve_best(self, settings: Settings) -> Bench:
        """Give the best so far, served; it is started where the journal led to it."""
        if self._best is None or self._best.bench.settings.key != settings.key:
            await _end(self._best)
            self._best = None
            self._best, self._tried = await self._open(settings), None
            await self._check_start(self._best.bench)
        return self._best.bench

    async def _check_start(self, best: Bench) -> None:
        said = agreement.disagreement(await self._reference(best), *await agreement.ask(best.driver))
        if said:
            raise InvalidRequest(
                f"The settings to begin with don't answer as transformers does in float32: {said}. "
                "Begin with others, such as dtype float32: --engine-args FILE."
            )

    async def _reference(self, best: Bench) -> Answers:
        """Give what is to be answered: by transformers, or, without weights, by the engine as it was at first."""
        if self._expected is None:
            if self._target.weights:
                self._expected = await agreement.transformers_answers(self._target.environment, self._target.weights)
            else:
                self._expected = (await agreement.ask(best.driver))[0]
        return self._expected

    async def _is_broken(self, best: Bench) -> bool:
        """Whether the best itself no longer answers, so that a failure says nothing of a trial."""
        try:
            async with asyncio.timeout(60):
                await agreement.ask(best.driver)
        except (InfernoError, TimeoutError):
            return True
        return False


async def _end(serving: _Serving | None) -> None:
    if serving is not None:
        await serving.stack.aclose()
