"""The rules by which other clients read: those of the Vercel AI SDK and of LangChain, written down as assertions.

Neither is run here. Each rule is one whose breach makes that client raise, or drop what was said.
"""

import json
import re
from typing import Any

import httpx
import pytest
from tests.answers import CHAT, COMPLETIONS, WITH_USAGE, once
from tests.contract.conftest import Platform
from tests.features import FEATURES, NAMED, QUESTION, TOOL

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

Json = dict[str, Any]
CHATS = {name: body for name, (path, body) in FEATURES.items() if path == CHAT}


@pytest.fixture
async def http(platform: Platform) -> Any:
    async with platform.stack.client() as client:
        yield client


async def streamed(http: httpx.AsyncClient, platform: Platform, body: Json, path: str = CHAT) -> str:
    """Give a stream as it is on the wire."""
    answer = await once(http, path, {"model": platform.model, **body, "stream": True})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    return answer.text


def events(text: str) -> list[Json]:
    """Read the events of a stream by the letter of the standard, as the AI SDK does; the last has to be the mark."""
    data = [block for block in re.split(r"\n\n", text) if block]
    lines = [[line for line in block.split("\n") if not line.startswith(":")] for block in data]
    assert all(len(block) == 1 and block[0].startswith("data: ") for block in lines), lines
    said = [block[0].removeprefix("data: ") for block in lines]
    assert said[-1] == "[DONE]"
    return [json.loads(each) for each in said[:-1]]


@pytest.mark.parametrize("feature", CHATS)
async def test_the_ai_sdk_reads_every_chunk(http: httpx.AsyncClient, platform: Platform, feature: str) -> None:
    chunks = events(await streamed(http, platform, CHATS[feature] | WITH_USAGE))
    begun: dict[tuple[int, int], str] = {}
    for chunk in chunks:
        assert isinstance(chunk["id"], str)
        assert isinstance(chunk["created"], int)
        assert isinstance(chunk["model"], str)
        assert isinstance(chunk["choices"], list)
        for choice in chunk["choices"]:
            _ai_sdk_choice(choice, begun)
    for arguments in begun.values():
        json.loads(arguments)
    usage = chunks[-1]["usage"]
    assert {type(usage[name]) for name in ("prompt_tokens", "completion_tokens", "total_tokens")} == {int}
    assert isinstance(usage["prompt_tokens_details"]["cached_tokens"], int)


def _ai_sdk_choice(choice: Json, begun: dict[tuple[int, int], str]) -> None:
    assert isinstance(choice["index"], int)
    assert choice["finish_reason"] is None or isinstance(choice["finish_reason"], str)
    delta = choice["delta"]
    assert delta.get("role", "assistant") in {"assistant", "", None}
    for name in ("content", "reasoning", "reasoning_content"):
        assert delta.get(name) is None or isinstance(delta[name], str)
    assert delta.get("reasoning") == delta.get("reasoning_content")
    for call in delta.get("tool_calls") or ():
        place = (choice["index"], call["index"])
        if place not in begun:
            assert isinstance(call["id"], str)
            assert call["type"] == "function"
            assert isinstance(call["function"]["name"], str)
        assert isinstance(call["function"].get("arguments") or "", str)
        begun[place] = begun.get(place, "") + (call["function"].get("arguments") or "")


async def test_the_ai_sdk_reads_a_whole_answer(http: httpx.AsyncClient, platform: Platform) -> None:
    asked = {"model": platform.model, "messages": QUESTION, "tools": [TOOL], "tool_choice": NAMED, "max_tokens": 120}
    answer = (await http.post(CHAT, json=asked)).json()
    message = answer["choices"][0]["message"]
    assert message["role"] == "assistant"
    assert message["content"] is None
    for call in message["tool_calls"]:
        assert isinstance(call["id"], str)
        assert isinstance(call["function"]["name"], str)
        assert isinstance(call["function"]["arguments"], str)
    assert answer["choices"][0]["finish_reason"] in {"tool_calls", "stop", "length"}


async def test_the_ai_sdk_reads_an_error(http: httpx.AsyncClient, platform: Platform) -> None:
    for stream in (False, True):
        answer = await http.post(CHAT, json={"model": platform.model, "messages": 1, "stream": stream})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert isinstance(error["message"], str)
        assert error["type"] is None or isinstance(error["type"], str)
        assert error["code"] is None or isinstance(error["code"], str | int)


@pytest.mark.parametrize(("feature", "counts"), [*((feature, True) for feature in CHATS), (next(iter(CHATS)), False)])
async def test_langchain_reads_every_chunk(
    http: httpx.AsyncClient, platform: Platform, feature: str, counts: bool
) -> None:
    """It looks at `choices[0]` alone, takes a chunk without choices for one of usage, and adds usage up."""
    options = WITH_USAGE if counts else {}
    chunks = events(await streamed(http, platform, CHATS[feature] | options))
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(usages) == counts
    for chunk in chunks:
        assert "error" not in chunk
        if not chunk["choices"]:
            assert counts
            assert chunk is chunks[-1]
            continue
        choice = chunk["choices"][0]
        assert isinstance(choice["delta"], dict)
        for call in choice["delta"].get("tool_calls") or ():
            assert call.keys() >= {"index", "function"}
    for usage in usages:
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    first = next(chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"])
    assert first["role"] == "assistant"
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert len(ends) == CHATS[feature].get("n", 1)


async def test_langchain_reads_a_whole_answer(http: httpx.AsyncClient, platform: Platform) -> None:
    asked = {"model": platform.model, "messages": QUESTION, "max_tokens": 4, "logprobs": True}
    answer = (await http.post(CHAT, json=asked)).json()
    assert answer.get("error") is None
    assert answer["choices"]
    assert {"message", "finish_reason", "logprobs", "index"} <= answer["choices"][0].keys()
    assert answer["choices"][0]["message"].get("refusal") is None
    assert isinstance(answer["system_fingerprint"], str)
    assert answer["model"] == platform.model


async def test_litellm_sends_what_it_knows_to_be_harmless(http: httpx.AsyncClient, platform: Platform) -> None:
    """Proxies hand on what they were given: empty lists, nulls, and fields of their own."""
    asked = {
        "model": platform.model,
        "messages": [{"role": "user", "content": "Hi.", "cache_control": {"type": "ephemeral"}}],
        "max_tokens": 2,
        "stop": None,
        "tools": None,
        "logit_bias": {},
        "user": "",
        "extra_body": {"a": 1},
        "metadata": {},
        "parallel_tool_calls": None,
        "drop_params": True,
    }
    assert (await http.post(CHAT, json=asked)).status_code == 200
    text = {"model": platform.model, "prompt": "Hi", "max_tokens": 2, "best_of": 1, "suffix": None, "echo": False}
    assert (await http.post(COMPLETIONS, json=text)).status_code == 200
