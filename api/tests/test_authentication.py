from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from inferno_core import keys

PATHS = [
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/smollm2"),
    ("GET", "/api/consumer/v1/models"),
]


def test_every_inference_route_is_walked(world: Any) -> None:
    family = world.app.routes[0]
    walked = {path.removeprefix("/v1") for _, path in PATHS} - {"/api/consumer/models", "/models/smollm2"}
    assert {route.path for route in family.routes} - {"/models/{model:path}"} <= walked


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer sk-foreign", f"Bearer {keys.issue().reveal()}", "Bearer é"]
)
async def test_without_a_known_key_nothing_is_answered(world: Any, method: str, path: str, header: str) -> None:
    async with world.client() as client:
        del client.headers["authorization"]
        headers = [(b"authorization", header.encode("latin-1"))] if header else []
        answer = await client.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_credentials_are_none(world: Any) -> None:
    bearer = f"Bearer {world.secret.reveal()}".encode()
    async with world.client() as client:
        answer = await client.get("/v1/models", headers=[(b"authorization", bearer), (b"authorization", bearer)])
    assert answer.status_code == 401


async def test_the_scheme_is_read_in_any_case(world: Any, client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/models", headers={"authorization": f"bearer {world.secret.reveal()}"})
    assert answer.status_code == 200


async def test_an_expired_key_is_refused(world: Any, client: httpx.AsyncClient) -> None:
    world.allow(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (await client.get("/v1/models")).status_code == 401


async def test_a_key_calls_only_its_endpoints_from_its_networks(world: Any, client: httpx.AsyncClient) -> None:
    world.allow(endpoints=("models",))
    assert (await client.get("/v1/models")).status_code == 200
    refused = await client.post("/v1/completions", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    world.allow(networks=("10.0.0.0/8",))
    assert (await client.get("/v1/models")).status_code == 403


async def test_a_key_sees_and_calls_only_its_models(world: Any, client: httpx.AsyncClient) -> None:
    world.allow(models=("other",))
    assert [card["id"] for card in (await client.get("/v1/models")).json()["data"]] == ["other"]
    assert (await client.get("/v1/models/smollm2")).status_code == 404
    body = {"model": "smollm2", "prompt": "Hi"}
    assert (await client.post("/v1/completions", json=body)).status_code == 404
