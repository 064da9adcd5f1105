"""What the edge measures, for Prometheus. Labels are bounded: routes, codes, surfaces and models that serve."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 1800)


class Metrics:
    """The figures of one API process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "inferno_http_requests_total",
            "Requests, by route, status, and the code of their error.",
            ("route", "status", "code"),
            registry=self.registry,
        )
        self.request_duration = Histogram(
            "inferno_http_request_duration_seconds",
            "From a request's first byte to its answer's last one.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "inferno_generations_in_flight",
            "Generations that a client of this process waits for.",
            ("surface",),
            registry=self.registry,
        )
        self.ttft = Histogram(
            "inferno_time_to_first_token_seconds",
            "From a request's arrival to its first token's leaving.",
            ("surface", "model"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.generation_duration = Histogram(
            "inferno_generation_duration_seconds",
            "From a request's arrival to the end of its generation, or of its reader.",
            ("surface", "model", "outcome"),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def render(self) -> bytes:
        """Write all figures in Prometheus' text format."""
        return generate_latest(self.registry)
