"""An engine's `Stats` as Triton's metrics, under vLLM's names, with the labels `model` and `version`.

Triton has histograms that are told one observation at a time, each a message to the server; an engine makes tens of
thousands a second. So histograms are given as the counters that they consist of.
"""

import ctypes
import logging
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import triton_python_backend_utils as pb_utils

from inferno_backend.seam import Spread, Stats

PARAMETER = "REPORT_CUSTOM_METRICS"

_NOW = {
    "vllm:num_requests_running": ("running", "Choices that are generated now."),
    "vllm:num_requests_waiting": ("waiting", "Choices that wait for a slot."),
    "vllm:kv_cache_usage_perc": ("kv_cache_usage", "Share of the KV cache that is taken, 1 for all of it."),
}
_COUNTED = {
    "vllm:prefix_cache_queries_total": ("prefix_cache_queries", "Prompt tokens looked for in the prefix cache."),
    "vllm:prefix_cache_hits_total": ("prefix_cache_hits", "Prompt tokens found in the prefix cache."),
    "vllm:num_preemptions_total": ("preemptions", "Choices that lost their slot for lack of KV cache."),
    "vllm:prompt_tokens_total": ("prompt_tokens", "Prompt tokens read."),
    "vllm:generation_tokens_total": ("generation_tokens", "Tokens generated."),
    "vllm:engine_steps_total": ("steps", "Engine steps."),
}
_SPREADS = {
    "vllm:time_to_first_token_seconds": ("ttft", "Time from arrival at the engine to the first token."),
    "vllm:inter_token_latency_seconds": ("itl", "Time between two tokens of a choice."),
    "vllm:engine_step_seconds": ("step_time", "Time that an engine step took."),
}

_log = logging.getLogger(__name__)


class Source(NamedTuple):
    """A number among `Stats`, and the metric that it is to be. `is_counter`: it only grows."""

    name: str
    about: str
    is_counter: bool
    labels: Mapping[str, str]
    read: Callable[[Stats], float]


class _Series:
    """A metric of Triton's, and what it was last told."""

    __slots__ = ("_metric", "_source", "_told")

    def __init__(self, source: Source, metric: Any) -> None:
        self._source = source
        self._metric = metric
        self._told = 0.0

    def update(self, stats: Stats) -> None:
        value = float(self._source.read(stats))
        # Each call is a message to the server.
        if value == self._told:
            return
        if not self._source.is_counter:
            self._metric.set(value)
        elif value > self._told:
            self._metric.increment(value - self._told)
        self._told = value

    def rest(self) -> None:
        if not self._source.is_counter and self._told:
            self._metric.set(0.0)


class Gauges:
    """The metrics of one version of a model. All calls must come from one thread at a time."""

    def __init__(self, name: str, version: str) -> None:
        self._families: dict[str, Any] = {}
        labels = {"model": name, "version": version}
        self._series = [_Series(source, self._metric(source, labels)) for source in sources()]

    def update(self, stats: Stats) -> None:
        """Tell Triton what has changed. Meant for about once a second."""
        for series in self._series:
            series.update(stats)

    def close(self) -> None:
        """Say that nothing runs any more. Triton goes on telling the rest, so that counters never fall."""
        for series in self._series:
            series.rest()

    def _metric(self, source: Source, labels: Mapping[str, str]) -> Any:
        family = self._families.get(source.name)
        if family is None:
            kind = pb_utils.MetricFamily.COUNTER if source.is_counter else pb_utils.MetricFamily.GAUGE
            family = pb_utils.MetricFamily(name=source.name, description=source.about, kind=kind)
            self._families[source.name] = _kept(family)
        return _kept(family.Metric(labels={**labels, **source.labels}))


def open(config: Mapping[str, Any], version: str) -> Gauges | None:
    """Make the gauges of a model, unless its configuration says that it reports none, or Triton has none."""
    said = config.get("parameters", {}).get(PARAMETER, {}).get("string_value", "true")
    if said.lower() in ("false", "no", "0"):
        return None
    try:
        return Gauges(config["name"], version)
    except pb_utils.TritonModelException as error:
        _log.warning("This Triton takes no metrics: %s", error)
        return None


def _kept(object: Any) -> Any:
    """Keep a metric for as long as Triton lives.

    Processes that name the same family share it, and so do two lives of the same version. Triton 2.51 frees it for all
    of them when one lets go of it, and dies of the next use.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(object))
    return object


def sources() -> Iterator[Source]:
    """Give every number that is told."""
    for told, is_counter in ((_NOW, False), (_COUNTED, True)):
        for name, (field, about) in told.items():
            yield Source(name, about, is_counter, {}, attrgetter(field))
    for name, (field, about) in _SPREADS.items():
        yield from _histogram(name, about, attrgetter(field))


def _histogram(name: str, about: str, spread: Callable[[Stats], Spread]) -> Iterator[Source]:
    """Give what a histogram consists of, as Prometheus has it."""
    bucket = f"{name}_bucket"
    for place, bound in enumerate(spread(Stats()).bounds):
        yield Source(bucket, about, True, {"le": f"{bound:g}"}, lambda stats, i=place: spread(stats).counts[i])
    yield Source(bucket, about, True, {"le": "+Inf"}, lambda stats: spread(stats).count)
    yield Source(f"{name}_sum", about, True, {}, lambda stats: spread(stats).sum)
    yield Source(f"{name}_count", about, True, {}, lambda stats: spread(stats).count)
