"""Keeps an engine's gauges: by the step, and in each by groups that waited equally long, never by the token."""

from typing import TYPE_CHECKING, Any

from inferno_backend.seam import Stats
from inferno_backend.vllm_engine.run import Seat

if TYPE_CHECKING:
    from inferno_backend.vllm_engine.compat import EngineCoreOutputs


class Tally:
    """Writes `stats`, in the engine's thread: `begin` a step, one `output` after the other, `end` it.

    `preemption` and `scheduling` are the types of vLLM's events that tell of one.
    """

    def __init__(self, stats: Stats, preemption: int, scheduling: int) -> None:
        self._stats = stats
        self._preemption = preemption
        self._scheduling = scheduling
        # When those that spoke for the first time in this step had been given their slots.
        self._begun: dict[str, float] = {}
        self._now_s = 0.0
        # Since when the step that runs now has been running; None while nothing does.
        self._since_s: float | None = None
        self._gaps: dict[float, int] = {}

    def asked(self, now_s: float) -> None:
        """Note that the engine has work."""
        if self._since_s is None:
            self._since_s = now_s

    def begin(self, outputs: "EngineCoreOutputs", now_s: float) -> None:
        """Take in how the scheduler stands after a step."""
        stats, told = self._stats, outputs.scheduler_stats
        self._now_s = stats.last_step = now_s
        stats.steps += 1
        if self._since_s is not None:
            stats.step_time.observe(now_s - self._since_s)
        if told is not None:
            stats.running = told.num_running_reqs
            stats.waiting = told.num_waiting_reqs + told.num_skipped_waiting_reqs
            stats.kv_cache_usage = told.kv_cache_usage
            if told.prefix_cache_stats is not None:
                stats.prefix_cache_queries += told.prefix_cache_stats.queries
                stats.prefix_cache_hits += told.prefix_cache_stats.hits
        for output in outputs.outputs:
            stats.generation_tokens += len(output.new_token_ids)
            if output.events:
                stats.preemptions += sum(event.type == self._preemption for event in output.events)
                scheduled = [event.timestamp for event in output.events if event.type == self._scheduling]
                if scheduled:
                    self._begun[output.request_id] = scheduled[0]
        self._since_s = now_s if stats.running or stats.waiting else None

    def output(self, seat: Seat, output: Any) -> None:
        """Count what a seat got."""
        if seat.last_s:
            self._gaps[seat.last_s] = self._gaps.get(seat.last_s, 0) + 1
        else:
            seat.scheduled(self._begun.get(seat.id, self._now_s), self._now_s)
            self._stats.prompt_tokens += len(output.prompt_token_ids or ())
            if seat.speaks:
                self._stats.ttft.observe(self._now_s - seat.asked_s)
        seat.last_s = self._now_s

    def end(self) -> None:
        """Write the step's gaps between tokens."""
        for last_s, times in self._gaps.items():
            self._stats.itl.observe(self._now_s - last_s, times)
        self._gaps.clear()
        self._begun.clear()
