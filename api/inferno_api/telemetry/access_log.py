"""What the log says of a request that is over (docs/observability.md): names, numbers and codes; never content."""

import time

from inferno_api.exchange import Exchange


def facts(exchange: Exchange, method: str, route: str) -> dict[str, object]:
    """Give the facts of a request's line: its own, and those of its generation where there was one."""
    context = exchange.trace or exchange.parent
    told: dict[str, object] = {
        "request_id": exchange.request_id,
        "trace_id": context.trace_id if context is not None else "",
        "span_id": context.span_id if context is not None else "",
        "method": method,
        "route": route,
        "status": exchange.status,
        "code": exchange.code,
        "duration_ms": _ms(exchange.started, time.perf_counter()),
        "key": exchange.key_prefix,
    }
    if exchange.generation_id:
        told |= _generation_facts(exchange)
    return told


def _generation_facts(exchange: Exchange) -> dict[str, object]:
    usage = exchange.final.usage if exchange.final is not None else None
    return {
        "generation_id": exchange.generation_id,
        "surface": exchange.surface,
        "model": exchange.model,
        "version": exchange.version,
        "stream": exchange.stream,
        "outcome": exchange.outcome,
        "queue_ms": exchange.head.waited_ms if exchange.head is not None else "",
        "ttft_ms": _ms(exchange.started, exchange.first) if exchange.first is not None else "",
        "input_tokens": usage.prompt_tokens if usage is not None else "",
        "output_tokens": usage.completion_tokens if usage is not None else "",
        "takeovers": exchange.takeovers,
    }


def _ms(since: float, until: float) -> float:
    return round((until - since) * 1000, 1)
