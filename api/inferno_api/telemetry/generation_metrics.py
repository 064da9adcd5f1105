"""What the edge measures of generations that the log took: how long each part took, how they ended, and their tokens.

Names and buckets beginning with `gen_ai` are those of OpenTelemetry's conventions for generative AI.
"""

from prometheus_client import CollectorRegistry, Counter

from inferno_api.exchange import Exchange
from inferno_api.telemetry.histogram import Histogram
from inferno_core.records import Final, Outcome, Surface
from inferno_stream.spans import OPERATIONS, PROVIDER

LEFT = "left"
"""The outcome where this process stopped with the answer still open."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 1800)
_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_GAPS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)
_REQUEST = tuple(0.01 * 2**power for power in range(14))
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_EACH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)
_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")


class GenerationMetrics:
    """The figures of generations that the log took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "From a request's arrival to the end of its generation, or of its reader.",
            (*_GEN_AI, "error_type"),
            _REQUEST,
            registry,
        )
        self._first = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From a request's arrival to its first token's coming out of the log.",
            _GEN_AI,
            _FIRST,
            registry,
        )
        self._each = Histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "A finished generation's time for each token of a choice after the first.",
            _GEN_AI,
            _EACH,
            registry,
        )
        self.gaps = Histogram(
            "inferno_inter_token_latency_seconds",
            "Between two moments at which a generation's words came out of the log.",
            ("model",),
            _GAPS,
            registry,
        )
        self._admission = Histogram(
            "inferno_admission_seconds",
            "From a request's last byte to its standing in the log.",
            (),
            _SHORT,
            registry,
        )
        self._queue = Histogram(
            "inferno_queue_seconds",
            "How long a request stood in the log until an engine took it.",
            ("model",),
            SECONDS,
            registry,
        )
        self._phases = Histogram(
            "inferno_engine_phase_seconds",
            "How long a generation was in each phase at its engine.",
            ("model", "phase"),
            SECONDS,
            registry,
        )
        self._ended = Counter(
            "inferno_generations_total",
            "Generations, by how they ended for their reader.",
            ("surface", "model", "outcome"),
            registry=registry,
        )
        self._tokens = Counter(
            "inferno_tokens_total",
            "Tokens that engines counted: input, of which cached, and output.",
            ("model", "type"),
            registry=registry,
        )
        self._takeovers = Counter(
            "inferno_takeovers_total", "Times that another worker or engine went on.", ("model",), registry=registry
        )

    def over(self, exchange: Exchange, surface: Surface, now: float) -> None:
        """Count a generation that has ended, or lost its reader."""
        model, outcome = exchange.model, exchange.outcome or LEFT
        names = (OPERATIONS[surface], PROVIDER, model)
        error = "" if outcome == Outcome.FINISHED else exchange.code or outcome
        self._ended.labels(surface, model, outcome).inc()
        self._duration.of(*names, error).observe(now - exchange.started)
        if (overhead_s := exchange.overhead_s) is not None:
            self._admission.of().observe(overhead_s)
        if exchange.takeovers:
            self._takeovers.labels(model).inc(exchange.takeovers)
        if exchange.head is not None:
            self._queue.of(model).observe(exchange.head.waited_ms / 1000)
        if exchange.first is not None:
            self._first.of(*names).observe(exchange.first - exchange.started)
        if exchange.final is not None:
            self._count(exchange.final, model)
            self._time_each(exchange, exchange.final, names)

    def _count(self, final: Final, model: str) -> None:
        if (usage := final.usage) is not None:
            self._tokens.labels(model, "input").inc(usage.prompt_tokens)
            self._tokens.labels(model, "cached").inc(usage.cached_tokens)
            self._tokens.labels(model, "output").inc(usage.completion_tokens)
        if (phases := final.phases) is not None:
            self._phases.of(model, "queue").observe(phases.queued_s)
            self._phases.of(model, "prefill").observe(phases.prefill_s)
            self._phases.of(model, "decode").observe(phases.decode_s)

    def _time_each(self, exchange: Exchange, final: Final, names: tuple[str, str, str]) -> None:
        """Choices come side by side, so that each has its share of the tokens in the same time."""
        if final.usage is None or exchange.first is None or exchange.last is None:
            return
        tokens = final.usage.completion_tokens / max(1, len(exchange.finishes))
        if tokens > 1:
            self._each.of(*names).observe((exchange.last - exchange.first) / (tokens - 1))
