"""What is counted of the synthetic engine's steps."""

from inferno_backend.seam import Stats
from inferno_backend.synthetic_calls import Generation
from inferno_engine.synthetic.scheduler import Run, Scheduler, Step


class Observer:
    """Writes the engine's stats, once a step."""

    def __init__(self, stats: Stats, scheduler: Scheduler) -> None:
        self._stats = stats
        self._scheduler = scheduler

    def idle(self, now: float) -> None:
        """Say that there is nothing to do, so that it is no wonder that no steps are made."""
        self._stats.last_step = now
        self._count_now()

    def observe(self, step: Step, now: float) -> None:
        """Count a step that ended `now`."""
        stats = self._stats
        before = stats.last_step
        gained = len(step.advanced) + sum(run.made > start for run, start in step.ended)
        stats.steps += 1
        stats.last_step = now
        stats.step_time.observe(now - before)
        stats.generation_tokens += gained
        stats.preemptions += len(step.preempted)
        # Whoever had a token in the step before has waited just as long as the step took.
        stats.itl.observe(now - before, gained - len(step.begun))
        for run in step.begun:
            self._observe_first(run, now)
        for run in step.preempted:
            run.last_told_s = now if run in step.advanced else before
        self._count_now()

    def _observe_first(self, run: Run, now: float) -> None:
        """Count the first token of a run since it was given a slot."""
        owner: Generation = run.owner
        if run.last_told_s:
            self._stats.itl.observe(now - run.last_told_s)
            return
        if owner.counts_prompt(run):
            self._stats.prompt_tokens += run.prompt_tokens
        if owner.begins(run):
            self._stats.ttft.observe(now - owner.arrived_s)

    def _count_now(self) -> None:
        stats, scheduler = self._stats, self._scheduler
        stats.running, stats.waiting, stats.kv_cache_usage = scheduler.running, scheduler.waiting, scheduler.usage
        stats.prefix_cache_queries, stats.prefix_cache_hits = scheduler.prefixes.queries, scheduler.prefixes.hits
