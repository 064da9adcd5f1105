import asyncio
import re
from typing import Any

import httpx
import pytest

from inferno_api.exchange import Exchange
from inferno_api.telemetry.metrics import Metrics
from inferno_core.records import Final, Outcome, Phases, Usage
from inferno_stream.fake import words

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}]}
MODEL = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "inferno", "gen_ai_request_model": "smollm2"}


def value(world: Any, name: str, **labels: str) -> float:
    return world.parts.metrics.registry.get_sample_value(name, labels) or 0.0


def test_two_processes_figures_are_apart() -> None:
    first, second = Metrics(), Metrics()
    first.over(Exchange("id", status=200), "/v1/models")
    assert b'status="200"' in first.render()
    assert b'status="200"' not in second.render()


def test_every_figure_has_its_unit_in_its_name() -> None:
    names = set(
        re.findall(
            r"^# TYPE ((?:inferno|gen_ai)_\w+) (?:histogram|counter|gauge)", Metrics().render().decode(), re.MULTILINE
        )
    )
    assert len(names) > 12
    assert all(re.search(r"_(seconds|total|bytes|running|waiting)$", name) for name in names)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_is_counted_once_it_is_over(client: httpx.AsyncClient, world: Any, stream: bool) -> None:
    await client.post("/v1/chat/completions", json=CHAT | {"stream": stream})
    ended = {"surface": "chat", "model": "smollm2", "outcome": "finished"}
    assert value(world, "inferno_http_requests_total", route="/v1/chat/completions", status="200", code="") == 1
    assert value(world, "inferno_generations_total", **ended) == 1
    assert value(world, "gen_ai_server_request_duration_seconds_count", **MODEL, error_type="") == 1
    assert value(world, "gen_ai_server_time_to_first_token_seconds_count", **MODEL) == 1
    assert value(world, "gen_ai_server_time_per_output_token_seconds_count", **MODEL) == 1
    assert value(world, "inferno_inter_token_latency_seconds_count", model="smollm2") == 1
    assert value(world, "inferno_queue_seconds_count", model="smollm2") == 1
    assert value(world, "inferno_admission_seconds_count") == 1
    assert value(world, "inferno_tokens_total", model="smollm2", type="input") == 3
    assert value(world, "inferno_tokens_total", model="smollm2", type="output") == 2


async def test_a_refusal_is_counted_by_its_code_and_is_no_generation(client: httpx.AsyncClient, world: Any) -> None:
    await client.post("/v1/chat/completions", json=CHAT | {"model": "nobody's"})
    labels = {"route": "/v1/chat/completions", "status": "404", "code": "model_not_found"}
    assert value(world, "inferno_http_requests_total", **labels) == 1
    assert "nobody" not in world.parts.metrics.render().decode()
    assert value(world, "inferno_admission_seconds_count") == 0


async def test_what_an_engine_tells_of_its_phases_is_shown(client: httpx.AsyncClient, world: Any) -> None:
    (frame,), *_ = words("a")
    final = Final(Outcome.FINISHED, usage=Usage(9, 1, 6), phases=Phases(0.2, 0.03, 0.004))
    world.script = lambda draft: [[type(frame)(0, frame.tokens, frame.delta, "stop", final)]]
    await client.post("/v1/chat/completions", json=CHAT)
    for phase, seconds in {"queue": 0.2, "prefill": 0.03, "decode": 0.004}.items():
        assert value(world, "inferno_engine_phase_seconds_sum", model="smollm2", phase=phase) == seconds
    assert value(world, "inferno_tokens_total", model="smollm2", type="cached") == 6


async def test_who_runs_and_who_waits_is_told_apart(client: httpx.AsyncClient, world: Any) -> None:
    world.edge.speaks = False
    asking = asyncio.create_task(client.post("/v1/chat/completions", json=CHAT))
    await world.asked.wait()
    assert value(world, "inferno_generations_waiting", surface="chat") == 1
    assert value(world, "inferno_generations_running", surface="chat") == 0
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert value(world, "inferno_generations_waiting", surface="chat") == 0
    assert value(world, "inferno_generations_total", surface="chat", model="smollm2", outcome="left") == 1
