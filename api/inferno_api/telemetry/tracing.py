"""The span of one request at the edge: `POST /v1/chat/completions`, with what it asked for and how it went.

It tells names, numbers and codes; never content, paths or addresses that a client chose.
"""

import time

from inferno_api.exchange import Exchange
from inferno_core.trace import TraceContext
from inferno_stream.spans import OPERATIONS, PROVIDER, final_attributes
from inferno_stream.tracing import Span, Value

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
PARAMETER_NAMES = {"n": "gen_ai.request.choice.count"}
"""What the conventions call a parameter, where that is not its own name."""


def span(exchange: Exchange, context: TraceContext, method: str, route: str) -> Span:
    """Make the span of an exchange that is over. Its error is what the platform could not do, not what a client did."""
    method = method if method in _METHODS else "_OTHER"
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": exchange.status,
        "inferno.request.id": exchange.request_id,
    }
    if exchange.surface is not None:
        attributes |= _generation(exchange, OPERATIONS[exchange.surface])
    return Span(
        name=f"{method} {route}",
        kind="server",
        context=context,
        parent=exchange.parent,
        start_ns=exchange.started_ns,
        end_ns=exchange.started_ns + int((time.perf_counter() - exchange.started) * 1e9),
        attributes=attributes,
        error=_error(exchange),
    )


def _generation(exchange: Exchange, operation: str) -> dict[str, Value]:
    asked = {PARAMETER_NAMES.get(name, f"gen_ai.request.{name}"): value for name, value in exchange.parameters.items()}
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": exchange.model,
        "gen_ai.request.stream": exchange.stream,
        "inferno.model.version": exchange.version,
        **asked,
        **final_attributes(exchange.final),
    }
    if exchange.generation_id:
        attributes["gen_ai.response.id"] = exchange.generation_id
    if exchange.finishes:
        attributes["gen_ai.response.finish_reasons"] = exchange.finishes
    if exchange.first is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = exchange.first - exchange.started
    if exchange.head is not None:
        attributes["inferno.queue_ms"] = exchange.head.waited_ms
    if exchange.outcome:
        attributes["inferno.outcome"] = exchange.outcome
    return attributes


def _error(exchange: Exchange) -> str:
    """A client that asked for what can't be, or hung up, is no error of the platform's."""
    if exchange.status >= 500:
        return exchange.code or str(exchange.status)
    ended_well = exchange.outcome in ("", "finished", "cancelled", "client_gone")
    return "" if ended_well or 400 <= exchange.status < 500 else exchange.outcome
