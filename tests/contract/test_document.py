"""The committed document is true of the platform that runs: of what it takes, and of all that it answers."""

import json
from typing import Any

import httpx
import pytest
from tests.answers import WITH_USAGE, once
from tests.contract.conftest import Platform
from tests.features import FEATURES

from tests import openapi

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

EXAMPLES = [
    pytest.param(body.path, example, id=f"{body.path} {at}")
    for body in openapi.bodies()
    for at, example in enumerate(body.examples)
]
SERVERS_OWN = {"date", "content-type", "content-length", "transfer-encoding", "connection", "cache-control"}
SERVERS_OWN |= {"x-accel-buffering", "content-security-policy"}


@pytest.fixture
async def http(platform: Platform) -> Any:
    async with platform.stack.client() as client:
        yield client


def described(path: str, method: str, answer: httpx.Response) -> None:
    """Hold an answer against what the document says of its path: status, headers, body and events."""
    operation = openapi.document()["paths"][path][method]
    told = openapi.resolve(operation["responses"][str(answer.status_code)])
    assert set(answer.headers) - SERVERS_OWN <= told["headers"].keys()
    kind = answer.headers["content-type"].partition(";")[0]
    schema = told["content"][kind]["schema"]
    if kind == "text/event-stream":
        events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        assert events[-1] == "[DONE]"
        for event in events[:-1]:
            assert openapi.accepts(schema, json.loads(event)), event
    elif kind == "application/json":
        assert openapi.accepts(schema, answer.json()), answer.text
        if answer.status_code >= 400:
            assert answer.json()["error"]["code"] in told["content"][kind]["examples"]


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
async def test_examples_are_answered_as_described(
    http: httpx.AsyncClient, platform: Platform, path: str, example: dict[str, Any]
) -> None:
    # A small model need not find the end of what it is asked for.
    answer = await http.post(path, json={"max_tokens": 100} | example | {"model": platform.model})
    embeds = platform.model == "synthetic" or "embeddings" not in path
    assert answer.status_code == (200 if embeds else 400), answer.text
    described(path, "post", answer)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("feature", FEATURES)
async def test_answers_are_as_described(
    http: httpx.AsyncClient, platform: Platform, feature: str, stream: bool
) -> None:
    path, body = FEATURES[feature]
    answer = await once(http, path, {"model": platform.model, **body, **(WITH_USAGE if stream else {})})
    assert answer.status_code == 200, answer.text
    described(path, "post", answer)


@pytest.mark.parametrize("body", openapi.bodies(), ids=lambda body: body.path)
async def test_refusals_are_as_described(http: httpx.AsyncClient, platform: Platform, body: openapi.Body) -> None:
    example = body.examples[0] | {"model": platform.model}
    answers = [
        await http.post(body.path, json={}),
        await http.post(body.path, json=example | {"model": "none"}),
        await http.post(body.path, json=example, headers={"authorization": "Bearer none"}),
        await http.post(body.path, content=b"{"),
        await http.post(body.path, json=example | {"unknown": "a" * (16 << 20)}),
        await http.post(body.path, json=example, headers={"x": "y" * 40_000}),
    ]
    assert [answer.status_code for answer in answers] == [400, 404, 401, 400, 413, 431]
    for answer in answers:
        described(body.path, "post", answer)


async def test_what_can_be_read_is_as_described(http: httpx.AsyncClient, platform: Platform) -> None:
    for path, operations in openapi.document()["paths"].items():
        if "get" in operations:
            answer = await http.get(path.replace("{model}", platform.model))
            assert answer.status_code == 200, path
            described(path, "get", answer)
    for family in ("/v1", "/api/consumer/v1"):
        missing = await http.get(f"{family}/models/none")
        described(f"{family}/models/{{model}}", "get", missing)


async def test_what_is_served_is_what_is_committed(http: httpx.AsyncClient) -> None:
    assert (await http.get("/openapi.json")).content == openapi.DOCUMENT.read_bytes()
