from inferno_api.exchange import Exchange
from inferno_api.telemetry import access_log
from inferno_core import trace


def test_a_request_without_a_generation_has_its_own_facts_alone() -> None:
    told = access_log.facts(Exchange("id", status=404, code="not_found"), "GET", "unmatched")
    assert (told["request_id"], told["status"], told["code"], told["trace_id"]) == ("id", 404, "not_found", "")
    assert "generation_id" not in told


def test_its_trace_is_its_own_or_at_least_its_callers() -> None:
    own, caller = trace.root(sampled=True), trace.root(sampled=True)
    assert access_log.facts(Exchange("id", trace=own, parent=caller), "GET", "/")["span_id"] == own.span_id
    assert access_log.facts(Exchange("id", parent=caller), "GET", "/")["trace_id"] == caller.trace_id


def test_a_generation_adds_its_own() -> None:
    exchange = Exchange("id", generation_id="chatcmpl-1", surface="chat", model="m", version="1", outcome="finished")
    exchange.first = exchange.started + 0.25
    told = access_log.facts(exchange, "POST", "/v1/chat/completions")
    assert (told["generation_id"], told["model"], told["outcome"]) == ("chatcmpl-1", "m", "finished")
    assert told["ttft_ms"] == 250
    assert told["queue_ms"] == told["input_tokens"] == ""
