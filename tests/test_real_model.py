"""SmolLM2 through the whole platform."""

import asyncio
import json
from typing import Any

import openai
import psutil
import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ANSWER = "The capital of France is Paris."


def client(stack: Any) -> openai.AsyncOpenAI:
    credentials = stack.credentials
    return openai.AsyncOpenAI(base_url=f"{credentials['url']}/v1", api_key=credentials["api_key"], max_retries=0)


async def test_the_first_request_arrives_token_by_token(real_stack: Any) -> None:
    async with real_stack.client() as http:
        asked = {"model": "smollm2", "stream": True, "temperature": 0, "messages": QUESTION}
        async with http.stream("POST", "/v1/chat/completions", json=asked) as response:
            lines = [line async for line in response.aiter_lines() if line.startswith("data: {")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    deltas = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert "".join(filter(None, deltas)) == ANSWER
    assert len([delta for delta in deltas if delta]) >= 6


async def test_many_at_once_and_whole(real_stack: Any) -> None:
    async with client(real_stack) as api:
        answers = await asyncio.gather(
            *(api.chat.completions.create(model="smollm2", temperature=0, messages=QUESTION) for _ in range(4))  # type: ignore[call-overload]
        )
    assert [answer.choices[0].message.content for answer in answers] == [ANSWER] * 4
    assert answers[0].choices[0].finish_reason == "stop"
    assert answers[0].usage.completion_tokens >= 7


async def test_a_seed_repeats_an_answer(real_stack: Any) -> None:
    async with client(real_stack) as api:
        first, second = [
            await api.completions.create(model="smollm2", prompt="Once upon a time", max_tokens=16, seed=7)
            for _ in range(2)
        ]
    assert first.choices[0].text == second.choices[0].text
    assert first.choices[0].finish_reason == "length"


async def test_a_prompt_that_is_too_long_is_refused_before_the_stream(real_stack: Any) -> None:
    async with client(real_stack) as api:
        with pytest.raises(openai.BadRequestError) as refused:
            await api.chat.completions.create(
                model="smollm2", messages=[{"role": "user", "content": "word " * 20_000}], stream=True
            )
    assert refused.value.code == "context_length_exceeded"


async def test_models_are_listed(real_stack: Any) -> None:
    async with client(real_stack) as api:
        assert (await api.models.list()).data[0].id == "smollm2"


async def test_a_killed_engine_only_delays(real_stack: Any) -> None:
    asked = {"model": "smollm2", "temperature": 0, "messages": QUESTION, "max_tokens": 40, "stream": True}
    asked["extra_body"] = {"ignore_eos": True}

    async def said(kill: bool) -> list[str]:
        words: list[str] = []
        async with client(real_stack) as api:
            async for chunk in await api.chat.completions.create(**asked):
                words += [choice.delta.content or "" for choice in chunk.choices]
                if kill and len(words) == 10:
                    engine(real_stack).kill()
        return words

    def engine(stack: Any) -> psutil.Process:
        triton = psutil.Process(stack.process("triton-0")["pid"])
        return next(each for each in triton.children(recursive=True) if each.name().startswith("VLLM"))

    undisturbed = await said(kill=False)
    before = engine(real_stack).pid
    assert "".join(await said(kill=True)) == "".join(undisturbed)
    assert engine(real_stack).pid != before
