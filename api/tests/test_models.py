from typing import Any

import httpx
from msgspec.structs import replace

from inferno_core.hosts import ModelState


async def test_the_list_has_the_default_first(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/v1/models")).json()
    assert answer["object"] == "list"
    assert [card["id"] for card in answer["data"]] == ["smollm2", "other"]
    assert answer["data"][0] == {
        "id": "smollm2",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "inferno",
        "max_model_len": 8192,
    }


async def test_one_model_is_shown_by_its_name(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models/other")).json()["id"] == "other"


async def test_an_unknown_model_is_not_found(client: httpx.AsyncClient) -> None:
    for name in ("gpt-4", "a/b", "%2e%2e", "smollm2:9"):
        answer = await client.get(f"/v1/models/{name}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_model_that_loads_is_not_listed(client: httpx.AsyncClient, world: Any) -> None:
    smollm2 = next(model for model in world.models if model.default)
    await world.show(replace(smollm2, state=ModelState.LOADING, expected_s=65.0))
    assert (await client.get("/v1/models")).json()["data"] == []
    assert (await client.get("/v1/models/smollm2")).status_code == 503
