"""The official client, unchanged, against the production application."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from inferno_core.errors import Unavailable
from inferno_stream.fake import words

MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]


@pytest.fixture
async def client(world: Any) -> AsyncGenerator[AsyncOpenAI]:
    transport = httpx2.ASGITransport(world.app)
    async with AsyncOpenAI(
        api_key=world.secret.reveal(),
        base_url="http://test/v1",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport),
    ) as client:
        yield client


async def test_chat_whole_and_streamed(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="smollm2", messages=MESSAGES)
    assert whole.choices[0].message.content == "Hello world"
    assert whole.usage is not None
    assert whole.usage.total_tokens == 5
    stream = await client.chat.completions.create(
        model="smollm2", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello world"
    assert chunks[-1].usage == whole.usage


async def test_completions_whole_and_streamed(client: AsyncOpenAI) -> None:
    whole = await client.completions.create(model="smollm2", prompt="Hi")
    assert whole.choices[0].text == "Hello world"
    stream = await client.completions.create(model="smollm2", prompt="Hi", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello world"


async def test_models(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["smollm2", "other"]
    assert (await client.models.retrieve("smollm2")).owned_by == "inferno"


async def test_errors_are_the_clients_own_kinds(client: AsyncOpenAI, world: Any) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="gpt-4", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        await client.chat.completions.create(model="smollm2", messages=MESSAGES, temperature=3)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-none").models.list()
    world.script = lambda draft: [words("Hello", "")[0], Unavailable("You fell behind.")]
    stream = await client.chat.completions.create(model="smollm2", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="You fell behind"):
        _ = [chunk async for chunk in stream]
