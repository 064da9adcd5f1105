"""A stream says what the whole answer says, feature by feature, through the whole stack with the synthetic engine."""

import asyncio
import json
from typing import Any

import pytest
from tests.answers import CHAT, both
from tests.features import FEATURES, QUESTION

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

_IDS = "calls have ids of their own"


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what no two requests share: the ids of calls."""
    for choice in answer["choices"]:
        for call in choice.get("message", {}).get("tool_calls", ()):
            assert call.pop("id"), _IDS
    return answer


@pytest.mark.parametrize("feature", FEATURES)
async def test_both_say_the_same(stack: Any, feature: str) -> None:
    path, body = FEATURES[feature]
    async with stack.client() as client:
        answer = await both(client, path, {"model": "synthetic", **body})
    assert plain(answer.streamed) == plain(answer.whole)
    assert all(choice["finish_reason"] for choice in answer.choices)
    prompts = body.get("prompt")
    several = isinstance(prompts, list) and not isinstance(prompts[0], int)
    assert len(answer.choices) == body.get("n", 1) * (len(prompts) if several and prompts else 1)


async def test_texts_are_embedded_in_each_form(stack: Any) -> None:
    texts = ["a red apple", "a red pear", "the moon"]
    async with stack.client() as client:
        whole = (await client.post("/v1/embeddings", json={"model": "synthetic", "input": texts})).json()
        one = (await client.post("/v1/embeddings", json={"model": "synthetic", "input": texts[1]})).json()
        many = await client.post("/v1/embeddings", json={"model": "synthetic", "input": texts * 600, "dimensions": 64})
    assert [vector["index"] for vector in whole["data"]] == [0, 1, 2]
    assert whole["data"][1]["embedding"] == one["data"][0]["embedding"]
    assert whole["usage"] == {"prompt_tokens": 8, "total_tokens": 8}
    assert many.status_code == 200
    assert len(many.json()["data"]) == 1800
    assert {len(vector["embedding"]) for vector in many.json()["data"]} == {64}


async def test_the_largest_bodies_pass(stack: Any) -> None:
    """Close to 16 MiB: the log, the session and Triton's stub have to carry it."""
    texts = [f"{place}-" + "x" * 8000 for place in range(2048)]
    body = {"model": "synthetic", "input": texts, "dimensions": 8, "encoding_format": "base64"}
    assert 15 << 20 < len(json.dumps(body)) < 16 << 20
    async with stack.client() as client:
        answers = await asyncio.gather(*(client.post("/v1/embeddings", json=body) for _ in range(3)))
        again = await client.post(CHAT, json={"model": "synthetic", "messages": QUESTION, "max_tokens": 3})
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [len(answer.json()["data"]) for answer in answers] == [2048, 2048, 2048]
    assert again.status_code == 200


async def test_no_engine_clamps_what_is_asked_for(stack: Any) -> None:
    async with stack.client() as client:
        answer = await client.post(CHAT, json={"model": "synthetic", "messages": QUESTION, "max_tokens": 8190})
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (
        "context_length_exceeded",
        "max_tokens",
    )


async def test_an_answer_says_which_version_gave_it_and_where_the_time_went(stack: Any) -> None:
    async with stack.client() as client:
        answer = await client.post(CHAT, json={"model": "synthetic", "messages": QUESTION, "max_tokens": 2})
        refused = await client.post(CHAT, json={"model": "synthetic", "messages": QUESTION, "max_tokens": 8190})
    for response in (answer, refused):
        assert response.headers["x-inferno-model-version"] == "1"
        assert int(response.headers["x-inferno-overhead-ms"]) >= 0
        assert 0 <= int(response.headers["x-inferno-queue-ms"]) < 60_000
