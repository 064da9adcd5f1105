"""What the edge measures, for Prometheus (docs/observability.md). All is read off an exchange when it is over, but the
gaps between words, which are counted as they come.

Labels are bounded: routes, statuses, codes of errors, surfaces, and models of the catalogue; never a key or an id.
"""

import math
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inferno_api.exchange import Exchange
from inferno_api.telemetry.generation_metrics import SECONDS, GenerationMetrics
from inferno_api.telemetry.histogram import Histogram
from inferno_core.errors import InfernoError
from inferno_stream.spans import OPERATIONS

# When each series began: twice as many series, for what a scraper sees by itself.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The figures of one API process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._open = _Open(registry)
        self._requests = Counter(
            "inferno_http_requests_total",
            "Requests, by route, status, and the code of their error.",
            ("route", "status", "code"),
            registry=registry,
        )
        self._http = Histogram(
            "inferno_http_request_duration_seconds",
            "From a request's first byte to its answer's last one.",
            ("route",),
            SECONDS,
            registry,
        )
        self._generations = GenerationMetrics(registry)
        self._spoke = -math.inf

    @property
    def spoke(self) -> float | None:
        """When words last came out of the log for anybody, in the time of `time.perf_counter`; None: never yet."""
        spoke = max([self._spoke, *(exchange.last or -math.inf for exchange in self._open.exchanges.values())])
        return spoke if spoke > -math.inf else None

    @contextmanager
    def open(self, exchange: Exchange) -> Generator[None]:
        """Count a generation as open while in the block, and the gaps between its words as they come."""
        exchange.gaps = self._generations.gaps.of(exchange.model)
        self._open.exchanges[id(exchange)] = exchange
        try:
            yield
        finally:
            del self._open.exchanges[id(exchange)]

    def over(self, exchange: Exchange, route: str) -> None:
        """Count an exchange that is over."""
        now = time.perf_counter()
        self._requests.labels(route, str(exchange.status), exchange.code).inc()
        self._http.of(route).observe(now - exchange.started)
        self._spoke = max(self._spoke, exchange.last or -math.inf)
        if exchange.admitted is not None and exchange.surface is not None:
            self._generations.over(exchange, exchange.surface, now)

    def refused(self, error: InfernoError) -> None:
        """Count what was refused before it got to any route."""
        self._requests.labels("unmatched", str(error.status), error.code).inc()

    def render(self) -> bytes:
        """Write all figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _Open(Collector):
    """Generations that a client of this process waits for, asked for when somebody scrapes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.exchanges: dict[int, Exchange] = {}
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterable[Metric]:
        families = self._families()
        for surface in OPERATIONS:
            heads = [exchange.head for exchange in self.exchanges.values() if exchange.surface == surface]
            waiting = sum(head is None for head in heads)
            for family, count in zip(families, (len(heads) - waiting, waiting), strict=True):
                family.add_metric((surface,), count)
        return families

    @staticmethod
    def _families() -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily(
                "inferno_generations_running",
                "Generations of this process that a worker speaks for.",
                labels=["surface"],
            ),
            GaugeMetricFamily(
                "inferno_generations_waiting", "Requests of this process that no engine has taken.", labels=["surface"]
            ),
        ]
