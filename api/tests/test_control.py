from typing import Any

import httpx
from msgspec.structs import replace

from inferno_core.hosts import ModelState


async def test_a_process_that_lives_says_so(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_platform_that_serves_is_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "models": ["smollm2", "other"], "last_answer_age_s": None}


async def test_a_model_that_loads_is_told_with_its_progress(client: httpx.AsyncClient, world: Any) -> None:
    smollm2 = next(model for model in world.models if model.default)
    await world.show(replace(smollm2, state=ModelState.LOADING, expected_s=65.0))
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "loading model smollm2: 40 s of about 65 s"
    assert "retry-after" in answer.headers


async def test_a_log_that_is_away_is_told(client: httpx.AsyncClient, world: Any) -> None:
    world.edge.healthy = "Kafka does not answer."
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "Kafka does not answer.")


async def test_an_answer_that_is_too_old_is_told(client: httpx.AsyncClient, world: Any) -> None:
    world.parts.canary.problem = lambda: "the last answer is 73 s old, and the limit is 60 s"
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.json()["error"]["message"] == "the last answer is 73 s old, and the limit is 60 s"
    assert (await client.get("/healthz")).status_code == 200


async def test_figures_are_for_loopback(client: httpx.AsyncClient, world: Any) -> None:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "inferno_generations_running" in answer.text
    assert world.secret.reveal() not in answer.text


async def test_figures_are_for_nobody_else(world: Any) -> None:
    transport = httpx.ASGITransport(world.app, client=("10.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/metrics")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
