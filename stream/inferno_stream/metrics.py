"""What a worker counts, for Prometheus (docs/observability.md)."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from inferno_core.records import Frame

# When each series began: twice as many series, for what a scraper sees by itself.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """A worker's counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.running = Gauge(
            "inferno_worker_running", "Generations that hold a place on an engine.", registry=self.registry
        )
        self.waiting = Gauge("inferno_worker_waiting", "Requests that no engine has taken yet.", registry=self.registry)
        self.partitions = Gauge(
            "inferno_worker_partitions", "Request partitions that this worker owns.", registry=self.registry
        )
        self.claims = Counter("inferno_worker_claims", "Requests that were claimed.", registry=self.registry)
        self.takeovers = Counter(
            "inferno_worker_takeovers", "Requests taken over from another owner.", registry=self.registry
        )
        self.sessions = Gauge(
            "inferno_worker_sessions", "Sessions with model versions on engine hosts.", registry=self.registry
        )
        self.unacknowledged_bytes = Gauge(
            "inferno_worker_unacknowledged_bytes",
            "What hosts said in sessions and still keep, since it does not all stand in the log.",
            registry=self.registry,
        )
        self.lost_hosts = Counter(
            "inferno_worker_lost_hosts", "Engines that were lost while they ran something.", registry=self.registry
        )
        self.adoptions = Counter(
            "inferno_worker_adoptions",
            "Generations that ran on at their engine under this owner.",
            registry=self.registry,
        )
        self.rebuilds = Counter(
            "inferno_worker_rebuilds",
            "Generations that an engine was given with their accepted tokens, to go on from.",
            registry=self.registry,
        )
        self.step_downs = Counter(
            "inferno_worker_step_downs", "Partitions begun again under a new epoch.", registry=self.registry
        )
        self.malformed = Counter(
            "inferno_worker_malformed_records", "Queue records that could not be read.", registry=self.registry
        )
        self.frames = Counter("inferno_worker_frames", "Frames that were appended.", registry=self.registry)
        self.tokens = Counter("inferno_worker_tokens", "Tokens that were appended.", registry=self.registry)
        self.finals = Counter("inferno_worker_ended", "Generations that ended.", ["outcome"], registry=self.registry)
        self._frames = self._tokens = 0

    def said(self, frame: Frame) -> None:
        """Count a frame that is appended; what is counted shows after `publish`, since a counter's lock is dear."""
        self._frames += 1
        self._tokens += len(frame.tokens)
        if frame.final is not None:
            self.finals.labels(frame.final.outcome.value).inc()

    def publish(self) -> None:
        """Show what was said up to now."""
        self.frames.inc(self._frames)
        self.tokens.inc(self._tokens)
        self._frames = self._tokens = 0
