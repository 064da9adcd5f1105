"""SmolLM2 through the whole platform, feature by feature: what a program asks for is what it gets, streamed or not."""

import asyncio
import json
import math
import re
import time
from typing import Any

import httpx
import pytest
from tests.answers import CHAT, COMPLETIONS, Json, both, stream
from tests.features import FEATURES, FORM, QUESTION, SCHEMA, TOOL

from inferno_store import hosts, redis
from tests import token_log

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

ANSWER = "The capital of France is Paris."


async def ask(stack: Any, path: str = CHAT, **fields: Any) -> Json:
    """Give a whole answer."""
    prompt = {"messages": QUESTION} if path == CHAT else {"prompt": "One, two, three,"}
    async with stack.client() as client:
        answer = await client.post(path, json={"model": "smollm2", "temperature": 0, **prompt, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def fits(place: Any) -> bool:
    """Hold a value against `SCHEMA`."""
    properties = SCHEMA["properties"]
    return (
        isinstance(place, dict)
        and set(place) == set(properties)
        and isinstance(place["city"], str)
        and len(place["city"]) <= properties["city"]["maxLength"]
        and place["unit"] in properties["unit"]["enum"]
    )


@pytest.mark.parametrize("feature", FEATURES)
async def test_a_stream_says_what_the_whole_says(real_stack: Any, feature: str) -> None:
    path, body = FEATURES[feature]
    async with real_stack.client() as client:
        answer = await both(client, path, {"model": "smollm2", **body})
    for choice in (*answer.streamed["choices"], *answer.whole["choices"]):
        for call in choice.get("message", {}).get("tool_calls", ()):
            assert call.pop("id"), "calls have ids of their own"
    assert answer.streamed == answer.whole
    assert all(choice["finish_reason"] for choice in answer.choices)


async def test_plain(real_stack: Any) -> None:
    answer = await ask(real_stack)
    (choice,) = answer["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (ANSWER, "stop")
    assert answer["usage"]["completion_tokens"] >= 7
    assert answer["system_fingerprint"]


async def test_a_stop_string_ends_it_and_is_not_told(real_stack: Any) -> None:
    (choice,) = (await ask(real_stack, stop=[" is"]))["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("The capital of France", "stop")
    assert choice["stop_reason"] == " is"


async def test_a_length_ends_it(real_stack: Any) -> None:
    answer = await ask(real_stack, max_completion_tokens=3)
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 3)


async def test_three_choices(real_stack: Any) -> None:
    answer = await ask(real_stack, COMPLETIONS, n=3, temperature=1, seed=7, max_tokens=12)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert len({choice["text"] for choice in answer["choices"]}) == 3
    assert answer["usage"]["completion_tokens"] == 36


async def test_a_seed_says_the_same_twice_and_another_does_not(real_stack: Any) -> None:
    sampled: dict[str, Any] = {"temperature": 1, "max_tokens": 16}
    first, second = await ask(real_stack, seed=7, **sampled), await ask(real_stack, seed=7, **sampled)
    assert first["choices"] == second["choices"]
    assert (await ask(real_stack, seed=8, **sampled))["choices"] != first["choices"]


async def test_log_probabilities_are_those_of_one_distribution(real_stack: Any) -> None:
    (choice,) = (await ask(real_stack, logprobs=True, top_logprobs=20))["choices"]
    told = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in told).removesuffix("<|im_end|>") == ANSWER
    for token in told:
        shares = [math.exp(each["logprob"]) for each in token["top_logprobs"]]
        assert len(shares) == 20
        assert shares == sorted(shares, reverse=True)
        assert 0.5 < sum(shares) <= 1.0001
        # At temperature 0 the likeliest is taken.
        assert math.isclose(token["logprob"], token["top_logprobs"][0]["logprob"], abs_tol=1e-4)
        assert bytes(token["bytes"]).decode() == token["token"]


async def test_a_schema_is_kept_to(real_stack: Any) -> None:
    (choice,) = (await ask(real_stack, response_format=FORM, max_tokens=60))["choices"]
    assert fits(json.loads(choice["message"]["content"]))


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
async def test_a_tool_that_is_forced_is_called_by_its_schema(real_stack: Any, choice: Any) -> None:
    answer = await ask(real_stack, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False, max_tokens=120)
    message = answer["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert (call["type"], call["function"]["name"], message["content"]) == ("function", "weather", None)
    assert fits(json.loads(call["function"]["arguments"]))


async def test_an_expression_is_kept_to(real_stack: Any) -> None:
    (choice,) = (await ask(real_stack, structured_outputs={"regex": "[0-9]{3}-[a-z]{2}"}))["choices"]
    assert re.fullmatch("[0-9]{3}-[a-z]{2}", choice["message"]["content"])


async def test_an_echo_comes_first(real_stack: Any) -> None:
    (choice,) = (await ask(real_stack, COMPLETIONS, echo=True, logprobs=1, max_tokens=4))["choices"]
    assert choice["text"].startswith("One, two, three,")
    told = choice["logprobs"]
    assert "".join(told["tokens"]) == choice["text"]
    assert told["token_logprobs"][0] is None
    assert {len(column) for column in told.values()} == {len(told["tokens"])}
    assert told["text_offset"] == [
        sum(len(token) for token in told["tokens"][:at]) for at in range(len(told["tokens"]))
    ]


async def test_thirty_two_at_once_say_what_one_says(real_stack: Any) -> None:
    asked = {"model": "smollm2", "messages": QUESTION, "temperature": 0}
    async with real_stack.client(limits=httpx.Limits(max_connections=32)) as client:
        answers = await asyncio.gather(*(stream(client, CHAT, asked) for _ in range(32)))
    for chunks in answers:
        said = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
        assert "".join(said) == ANSWER


async def test_who_hangs_up_frees_the_engine(real_stack: Any) -> None:
    asked = {"model": "smollm2", "messages": QUESTION, "ignore_eos": True, "max_tokens": 1500, "stream": True}
    async with real_stack.client() as client:
        async with client.stream("POST", CHAT, json=asked) as response:
            assert response.status_code == 200
            await until_running(real_stack, 1)
        # To its end it would take half a minute and more.
        await until_running(real_stack, 0, within_s=8)


async def until_running(stack: Any, count: int, within_s: float = 60.0) -> None:
    """Wait until the engine says that so many choices are at work or wait in it."""
    presence = redis.connect(stack.status["endpoints"]["redis"])
    deadline = time.monotonic() + within_s
    try:
        while await _running(presence) != count:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    finally:
        await presence.aclose()


async def _running(presence: redis.Redis) -> int:
    models = [model for host in await hosts.read(presence) for model in host.models]
    return sum(model.running + model.waiting for model in models)


async def test_it_tells_how_long_its_phases_took(real_stack: Any) -> None:
    began = time.monotonic()
    answer = await ask(real_stack, max_tokens=4)
    took_s = time.monotonic() - began
    said = await asyncio.to_thread(token_log.said, real_stack.status["endpoints"]["kafka"], answer["id"])
    phases = said[-1].final.phases
    assert phases is not None
    assert phases.prefill_s > 0
    assert phases.decode_s > 0
    assert 0 <= phases.queued_s + phases.prefill_s + phases.decode_s < took_s


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"max_tokens": 2040}, "context_length_exceeded", "max_tokens"),
        ({"max_tokens": 100_000}, None, "max_tokens"),
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, "context_length_exceeded", "messages"),
        ({"structured_outputs": {"regex": "[a-"}}, "invalid_request", "structured_outputs"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no"}}}},
            "invalid_request",
            "response_format",
        ),
        ({"chat_template_kwargs": {"no_such": 1}}, "invalid_request", "chat_template_kwargs"),
    ],
)
async def test_the_engines_verdict_is_a_status(
    real_stack: Any, fields: Json, code: str | None, param: str, stream: bool
) -> None:
    asked = {"model": "smollm2", "messages": QUESTION, "stream": stream, **fields}
    async with real_stack.client() as client:
        answer = await client.post(CHAT, json=asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"].partition(".")[0] == param
    assert code in (None, error["code"])


async def test_a_model_that_does_not_embed_says_so(real_stack: Any) -> None:
    async with real_stack.client() as client:
        answer = await client.post("/v1/embeddings", json={"model": "smollm2", "input": "a"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
