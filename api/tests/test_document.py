from typing import Any

import httpx


async def document(client: httpx.AsyncClient) -> Any:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_every_route_is_described(client: httpx.AsyncClient, world: Any) -> None:
    paths = (await document(client))["paths"]
    routed = {
        mount.path + route.path.replace(":path", "")
        for mount in world.app.routes
        for route in mount.routes
        if getattr(route, "methods", None)
    }
    assert routed
    assert routed == set(paths)


async def test_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    whole = await document(client)

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in whole["components"]["schemas"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(whole)


async def test_the_bodies_are_the_types_that_validate(client: httpx.AsyncClient) -> None:
    schemas = (await document(client))["components"]["schemas"]
    assert schemas["ChatBody"]["required"] == ["model", "messages"]
    temperature = schemas["ChatBody"]["properties"]["temperature"]["anyOf"][0]
    assert (temperature["minimum"], temperature["maximum"]) == (0, 2)
    assert "prompt" in schemas["CompletionBody"]["properties"]
