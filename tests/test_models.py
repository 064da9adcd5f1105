"""`inferno models add` on a running stack with the real model: a model of another kind comes and goes beside it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

CHECKOUT = Path(__file__).parents[1]
sys.path.append(str(CHECKOUT / "engine" / "tests"))

import embedding_model  # noqa: E402 - found by the path above

from inferno_engine import environment  # noqa: E402 - the same

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

TEXTS = ["hello world", "something else"]


def told(stack: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """What the hosts tell of each version."""
    said = json.loads(stack.command("models", "list", "--json").stdout)
    return {(model["name"], model["version"]): model for host in said["hosts"] for model in host["models"]}


def engines(stack: Any) -> list[int]:
    """The processes of SmolLM2's engine."""
    life = told(stack)["smollm2", "1"]["life"]
    return [int(stub.partition(".")[0]) for stub in life.split("-")]


async def tell_a_story(http: httpx.AsyncClient, over: asyncio.Event) -> int:
    """Have SmolLM2 generate, one story after another, until it is over; give how many words came."""
    words = 0
    while not over.is_set():
        asked = {"model": "smollm2", "prompt": "Once upon a time", "max_tokens": 200, "stream": True, "seed": words}
        async with http.stream("POST", "/v1/completions", json=asked) as response:
            lines = [line async for line in response.aiter_lines() if line.startswith("data: ")]
        assert lines[-1] == "data: [DONE]"
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
        assert not [chunk for chunk in chunks if "error" in chunk]
        assert chunks[-1]["choices"][0]["finish_reason"] in ("length", "stop")
        words += len(chunks)
    return words


async def test_a_model_of_another_kind_comes_and_goes(real_stack: Any, tmp_path: Path) -> None:
    made = environment.ensure_vllm_environment(CHECKOUT)
    expected = await asyncio.to_thread(embedding_model.make, made, tmp_path / "weights", TEXTS)
    before, over = engines(real_stack), asyncio.Event()
    async with real_stack.client() as http:
        story = asyncio.create_task(tell_a_story(http, over))
        arguments = ("models", "add", "vectors", "--weights", str(tmp_path / "weights"))
        added = await asyncio.to_thread(real_stack.command, *arguments)
        assert added.returncode == 0, added.stderr
        assert "vectors:1 serves embedding." in added.stdout
        over.set()
        assert await story > 0
    assert told(real_stack)["vectors", "1"]["state"] == "ready"
    async with real_stack.client() as http:
        async with asyncio.timeout(10):
            while "vectors" not in (await http.get("/v1/models")).text:  # noqa: ASYNC110 -- only asking tells
                await asyncio.sleep(0.1)
        answer = await http.post("/v1/embeddings", json={"model": "vectors", "input": TEXTS})
        refused = await http.post("/v1/embeddings", json={"model": "vectors", "input": "word " * 5000})
    assert answer.status_code == 200, answer.text
    assert [vector["embedding"] for vector in answer.json()["data"]] == [
        pytest.approx(vector, abs=1e-4) for vector in expected
    ]
    assert answer.json()["usage"]["prompt_tokens"] > 0
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "context_length_exceeded")

    again = await asyncio.to_thread(real_stack.command, *arguments, "--version", "1")
    assert again.returncode == 1
    assert "--version 2" in again.stderr

    (tmp_path / "weights" / "config.json").write_text("{}")
    spoilt = await asyncio.to_thread(real_stack.command, *arguments)
    assert "architectures" in spoilt.stderr

    removed = await asyncio.to_thread(real_stack.command, "models", "remove", "vectors")
    assert removed.returncode == 0, removed.stderr
    assert engines(real_stack) == before


async def test_what_vllm_refuses_is_said_and_taken_back(real_stack: Any, tmp_path: Path) -> None:
    made = environment.ensure_vllm_environment(CHECKOUT)
    await asyncio.to_thread(embedding_model.make, made, tmp_path / "weights", TEXTS)
    (tmp_path / "arguments.json").write_text('{"no_such_argument": 1}')
    weights = ("--weights", str(tmp_path / "weights"), "--engine-args", str(tmp_path / "arguments.json"))
    before = engines(real_stack)
    added = await asyncio.to_thread(real_stack.command, "models", "add", "wrong", *weights)
    assert added.returncode == 1
    assert "no_such_argument" in added.stderr
    assert ("wrong", "1") not in {key for key, model in told(real_stack).items() if model["state"] != "retiring"}
    assert engines(real_stack) == before
