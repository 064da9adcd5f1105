"""OpenAI's own Python client against the whole platform: whatever it offers for chats and texts has to work."""

import json
from typing import Any, Literal

import openai
import pydantic
import pytest
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.answers import once
from tests.answers import stream as streamed_by
from tests.contract.conftest import Platform
from tests.features import FEATURES

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]


class Place(pydantic.BaseModel):
    """What a program wants to know."""

    model_config = pydantic.ConfigDict(extra="forbid")

    city: Literal["Paris", "Rome", "Oslo"]
    warm: bool


class GetWeather(pydantic.BaseModel):
    """Tells the weather."""

    model_config = pydantic.ConfigDict(extra="forbid")

    city: Literal["Paris", "Rome", "Oslo"]


async def test_models(client: openai.AsyncOpenAI, platform: Platform) -> None:
    models = [model async for model in client.models.list()]
    assert platform.model in [model.id for model in models]
    one = await client.models.retrieve(platform.model)
    assert (one.object, one.owned_by) == ("model", "inferno")
    Model.model_validate(one.model_dump(), strict=True)


PUBLISHED = [name for name, (_, body) in FEATURES.items() if not (body.get("echo") and body.get("logprobs"))]
"""An echoed prompt's first token has no log-probability: OpenAI says null there, which its own types don't take."""


@pytest.mark.parametrize("feature", PUBLISHED)
async def test_every_answer_is_what_openai_says_an_answer_is(platform: Platform, feature: str) -> None:
    """Its client's types are made from its published specification; the client itself holds no answer to them."""
    path, body = FEATURES[feature]
    asked = {"model": platform.model, **body}
    async with platform.stack.client() as http:
        whole = await once(http, path, asked)
        assert whole.status_code == 200, whole.text
        chunks = await streamed_by(http, path, asked)
    if "chat" in path:
        ChatCompletion.model_validate_json(whole.content, strict=True)
        for chunk in chunks:
            ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
    else:
        Completion.model_validate_json(whole.content, strict=True)
        for chunk in chunks:
            # Its type knows whole answers alone, in which each choice has ended.
            choices = [choice | {"finish_reason": choice["finish_reason"] or "stop"} for choice in chunk["choices"]]
            Completion.model_validate_json(json.dumps(chunk | {"choices": choices}), strict=True)


async def test_a_chat_whole_and_streamed(client: openai.AsyncOpenAI, platform: Platform) -> None:
    asked: dict[str, Any] = {"model": platform.model, "messages": QUESTION, "temperature": 0, "max_tokens": 20}
    whole = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert len({chunk.id for chunk in chunks}) == 1
    assert whole.usage is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_the_stream_helper_tells_every_step(client: openai.AsyncOpenAI, platform: Platform) -> None:
    asked: dict[str, Any] = {"model": platform.model, "messages": QUESTION, "temperature": 0}
    async with client.chat.completions.stream(**asked, logprobs=True, top_logprobs=1) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_completion()
    kinds = {event.type for event in events}
    assert {"chunk", "content.delta", "content.done", "logprobs.content.delta", "logprobs.content.done"} <= kinds
    deltas = [event.delta for event in events if event.type == "content.delta"]
    assert "".join(deltas) == final.choices[0].message.content
    assert final.choices[0].finish_reason in {"stop", "length"}
    assert final.choices[0].logprobs is not None
    assert final.choices[0].logprobs.content


async def test_an_answer_is_parsed(client: openai.AsyncOpenAI, platform: Platform) -> None:
    asked: dict[str, Any] = {"model": platform.model, "messages": QUESTION, "response_format": Place}
    answer = await client.chat.completions.parse(**asked, max_tokens=100)
    assert isinstance(answer.choices[0].message.parsed, Place)
    async with client.chat.completions.stream(**asked, max_tokens=100) as stream:
        done = [event async for event in stream if event.type == "content.done"]
    assert isinstance(done[0].parsed, Place)


async def test_an_answer_that_was_cut_is_not_parsed(client: openai.AsyncOpenAI, platform: Platform) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        await client.chat.completions.parse(
            model=platform.model, messages=QUESTION, response_format=Place, max_tokens=2
        )


async def test_a_tool_is_called_and_answered(client: openai.AsyncOpenAI, platform: Platform) -> None:
    """The loop of every agent: a call, what came of it, and words."""
    tools = [openai.pydantic_function_tool(GetWeather)]
    asked: dict[str, Any] = {"model": platform.model, "tools": tools, "max_tokens": 100}
    first = await client.chat.completions.parse(**asked, messages=QUESTION, tool_choice="required")
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls
    for call in message.tool_calls:
        assert isinstance(call.function.parsed_arguments, GetWeather)
    answered = [
        *QUESTION,
        message.model_dump(exclude_none=True),
        *({"role": "tool", "tool_call_id": call.id, "content": "22 degrees"} for call in message.tool_calls),
    ]
    second = await client.chat.completions.create(**asked, messages=answered, tool_choice="none")
    assert second.choices[0].message.content
    assert second.choices[0].finish_reason in {"stop", "length"}


async def test_calls_are_streamed(client: openai.AsyncOpenAI, platform: Platform) -> None:
    choice: Any = {"type": "function", "function": {"name": "GetWeather"}}
    async with client.chat.completions.stream(
        model=platform.model,
        messages=QUESTION,
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice=choice,
        max_tokens=100,
    ) as stream:
        events = [event async for event in stream]
        final = await stream.get_final_completion()
    deltas = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert deltas
    assert done[0].name == "GetWeather"
    assert isinstance(done[0].parsed_arguments, GetWeather)
    calls = final.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.arguments == "".join(event.arguments_delta for event in deltas if event.index == 0)


async def test_answers_show_their_headers(client: openai.AsyncOpenAI, platform: Platform) -> None:
    asked: dict[str, Any] = {"model": platform.model, "messages": QUESTION, "max_tokens": 2}
    named = {"x-request-id": "a-name-of-mine"}
    raw = await client.chat.completions.with_raw_response.create(**asked, extra_headers=named)
    assert raw.headers["x-request-id"] == raw.request_id == "a-name-of-mine"
    assert raw.headers["x-inferno-model-version"]
    assert int(raw.headers["x-inferno-queue-ms"]) >= 0
    assert int(raw.headers["x-inferno-overhead-ms"]) >= 0
    assert raw.parse().choices
    async with client.chat.completions.with_streaming_response.create(**asked) as streaming:
        assert json.loads(await streaming.read())["choices"]
    answer = await client.chat.completions.create(**asked)
    assert answer._request_id  # the client's documented name


async def test_texts_are_continued(client: openai.AsyncOpenAI, platform: Platform) -> None:
    whole = await client.completions.create(
        model=platform.model, prompt=["Once upon", "It was"], n=2, max_tokens=4, echo=True, logprobs=1
    )
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    assert [choice.text[:4] for choice in whole.choices] == ["Once", "Once", "It w", "It w"]
    assert whole.choices[0].logprobs is not None
    stream = await client.completions.create(model=platform.model, prompt="Once", max_tokens=4, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.object == "text_completion" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_texts_are_embedded(client: openai.AsyncOpenAI, platform: Platform) -> None:
    """The client asks for base64 by itself, and gives numbers."""
    if platform.model != "synthetic":
        with pytest.raises(openai.BadRequestError, match="does not do embedding") as refused:
            await client.embeddings.create(model=platform.model, input="a fox")
        assert refused.value.param == "model"
        return
    answer = await client.embeddings.create(model=platform.model, input=["a fox", "a bear"], dimensions=8)
    assert [len(vector.embedding) for vector in answer.data] == [8, 8]
    assert all(isinstance(number, float) for number in answer.data[0].embedding)
    told = await client.embeddings.create(model=platform.model, input="a fox", dimensions=8, encoding_format="float")
    assert told.data[0].embedding == pytest.approx(answer.data[0].embedding, abs=1e-6)
    CreateEmbeddingResponse.model_validate(told.model_dump(), strict=True)


async def test_whoever_leaves_a_stream_may_go_on(client: openai.AsyncOpenAI, platform: Platform) -> None:
    asked: dict[str, Any] = {"model": platform.model, "messages": QUESTION, "max_tokens": 200, "stream": True}
    for _ in range(3):
        async with await client.chat.completions.create(**asked) as stream:
            async for _chunk in stream:
                break
    answer = await client.chat.completions.create(**asked | {"stream": False, "max_tokens": 2})
    assert answer.choices


def test_the_client_that_waits(platform: Platform) -> None:
    with openai.OpenAI(base_url=platform.base_url, api_key=platform.key, max_retries=0) as client:
        answer = client.chat.completions.create(model=platform.model, messages=QUESTION, max_tokens=5)
        stream = client.chat.completions.create(model=platform.model, messages=QUESTION, max_tokens=5, stream=True)
        said = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert answer.choices[0].message.content
    assert "".join(said)


async def test_the_second_address_is_the_same(platform: Platform) -> None:
    url = platform.base_url.replace("/v1", "/api/consumer/v1")
    async with platform.client(base_url=url) as client:
        assert (await client.models.retrieve(platform.model)).id == platform.model
        answer = await client.chat.completions.create(model=platform.model, messages=QUESTION, max_tokens=2)
    assert answer.choices
