"""Histograms for what happens with every token: an observation is one search in a short list and two additions.

Prometheus' own client takes a lock for each, which costs more than all the rest that is done for a token. These belong
to one thread; whoever scrapes reads plain lists.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry


class Series:
    """The observations under one set of labels."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count `value` in the first bucket whose bound it does not exceed."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Histogram(Collector):
    """A family of series. `bounds` are the upper bounds of its buckets, ascending, without the infinite one."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self.name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._texts = [*map(str, map(float, self._bounds)), "+Inf"]
        self._series: dict[tuple[str, ...], Series] = {}
        registry.register(self)

    def of(self, *labels: str) -> Series:
        """Give the series under these labels, in the order of the family's."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series(self._bounds)
        return series

    def describe(self) -> Iterable[Metric]:
        """Tell the family's name, so that no other takes it."""
        return [HistogramMetricFamily(self.name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        """Give all series as Prometheus has them: cumulative."""
        family = HistogramMetricFamily(self.name, self._documentation, labels=self._labels)
        for labels, series in list(self._series.items()):
            buckets = list(zip(self._texts, accumulate(series.counts), strict=True))
            family.add_metric(labels, buckets, series.sum)
        return [family]
