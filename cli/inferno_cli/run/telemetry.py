"""Where a process' spans go: to a collector, where a setting names one, else nowhere."""

from prometheus_client import CollectorRegistry

from inferno_core.settings import Settings
from inferno_stream.tracing import NoTracer, Tracer


def tracer(settings: Settings, service: str, registry: CollectorRegistry) -> Tracer:
    """Make the tracer of a process of kind `service`, which counts in `registry` what became of its spans."""
    telemetry = settings.telemetry
    if not telemetry.otlp_endpoint:
        return NoTracer()
    # Only those pay for importing Protocol Buffers who want traces.
    from inferno_stream.otlp import OtlpTracer

    return OtlpTracer(
        telemetry.otlp_endpoint,
        service=service,
        instance=settings.name or service,
        ratio=telemetry.sample_ratio,
        registry=registry,
    )
