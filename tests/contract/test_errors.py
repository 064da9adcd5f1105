"""What OpenAI's client makes of every kind of refusal and failure, and when it tries again."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from tests.contract.conftest import Platform

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

QUESTION: list[Any] = [{"role": "user", "content": "Hi."}]


class Counted:
    """A client that counts what it sends, and what it hears."""

    def __init__(self, platform: Platform, **options: Any) -> None:
        self.sent: list[httpx2.Request] = []
        self._answers = 0
        self._news = asyncio.Condition()
        self._http = httpx2.AsyncClient(event_hooks={"request": [self._ask], "response": [self._hear]}, timeout=60)
        self.api = platform.client(http_client=self._http, **options)

    async def _ask(self, request: httpx2.Request) -> None:
        self.sent.append(request)

    async def _hear(self, _: httpx2.Response) -> None:
        async with self._news:
            self._answers += 1
            self._news.notify_all()

    async def hears(self, count: int) -> None:
        """Wait until it has heard so many answers, refusals included."""
        async with self._news:
            await self._news.wait_for(lambda: self._answers >= count)

    async def __aenter__(self) -> "Counted":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.api.close()


async def ask(api: openai.AsyncOpenAI, **fields: Any) -> Any:
    """Ask for a short answer."""
    return await api.chat.completions.create(**{"model": "synthetic", "messages": QUESTION, "max_tokens": 3, **fields})


async def listen(stream: Any, said: list[str]) -> None:
    """Note the words of a stream."""
    async for chunk in stream:
        said += [choice.delta.content or "" for choice in chunk.choices]


@asynccontextmanager
async def occupied(platform: Platform) -> AsyncGenerator[None]:
    """Have the one place of the engine taken."""
    async with platform.client() as api:
        stream = await ask(api, stream=True, max_tokens=8000, extra_body={"ignore_eos": True})
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        try:
            yield
        finally:
            await stream.close()


@asynccontextmanager
async def queued(platform: Platform, key: str) -> AsyncGenerator[None]:
    """Have a place in the queue taken: the status comes after a second without an engine."""
    async with platform.client(api_key=key) as api:
        stream = await ask(api, stream=True)
        try:
            yield
        finally:
            await stream.close()


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"temperature": 3}, "temperature", "invalid_request"),
        ({"max_tokens": 0}, "max_tokens", "invalid_request"),
        ({"n": 1000}, "n", "invalid_request"),
        ({"messages": []}, "messages", "invalid_request"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0]", "invalid_request"),
        ({"functions": [{"name": "old"}]}, "functions", "invalid_request"),
        ({"service_tier": "flex"}, "service_tier", "invalid_request"),
        ({"web_search_options": {}}, "web_search_options", "invalid_request"),
        ({"messages": [{"role": "user", "content": "word " * 9000}]}, "messages", "context_length_exceeded"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_400(narrow: Platform, fields: dict[str, Any], param: str, code: str, stream: bool) -> None:
    async with Counted(narrow, max_retries=2) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(client.api, stream=stream, **fields)
    assert (refused.value.status_code, refused.value.code) == (400, code)
    assert (refused.value.param or "").startswith(param)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id
    assert len(client.sent) == 1


@pytest.mark.parametrize("key", ["sk-none", "inf-" + "a" * 52, "'; --"])
async def test_401(narrow: Platform, key: str) -> None:
    async with Counted(narrow, api_key=key, max_retries=2) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await ask(client.api)
    assert refused.value.code == "invalid_api_key"
    assert refused.value.response.headers["www-authenticate"] == "Bearer"
    assert len(client.sent) == 1


async def test_403_and_404_of_a_narrow_key(narrow: Platform, make_key: Callable[..., Any]) -> None:
    async with Counted(narrow, api_key=await make_key(endpoints=["models"]), max_retries=2) as client:
        assert [model.id async for model in client.api.models.list()] == ["synthetic"]
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await ask(client.api)
    assert refused.value.code == "forbidden"
    assert len(client.sent) == 2
    async with narrow.client(api_key=await make_key(models=["other"])) as api:
        assert [model.id async for model in api.models.list()] == []
        with pytest.raises(openai.NotFoundError) as missing:
            await ask(api)
    assert missing.value.code == "model_not_found"


async def test_404(narrow: Platform) -> None:
    async with narrow.client() as api:
        with pytest.raises(openai.NotFoundError) as missing:
            await ask(api, model="gpt-4o")
        assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
        with pytest.raises(openai.NotFoundError) as missing:
            await api.models.retrieve("gpt-4o")
        assert missing.value.code == "model_not_found"


async def test_what_comes_later_is_a_404_now(narrow: Platform) -> None:
    async with narrow.client() as api:
        for call in (
            lambda: api.responses.create(model="synthetic", input="Hi."),
            lambda: api.responses.retrieve("resp_1"),
            lambda: api.files.list(),
            lambda: api.files.create(file=b"{}", purpose="batch"),
            lambda: api.batches.list(),
            lambda: api.batches.retrieve("batch_1"),
            lambda: api.moderations.create(input="Hi."),
            lambda: api.images.generate(prompt="A fox."),
        ):
            with pytest.raises(openai.NotFoundError) as missing:
                await call()
            assert missing.value.code == "not_found"


async def test_413(narrow: Platform) -> None:
    async with Counted(narrow, max_retries=2) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await ask(client.api, messages=[{"role": "user", "content": "a" * 200_000}])
    assert (refused.value.status_code, refused.value.code) == (413, "request_too_large")
    assert len(client.sent) == 1


async def test_429_says_when_to_come_back_and_the_client_does(narrow: Platform) -> None:
    async with Counted(narrow, max_retries=0) as client:
        async with occupied(narrow), queued(narrow, narrow.key):
            with pytest.raises(openai.RateLimitError) as refused:
                await ask(client.api)
            assert refused.value.code == "rate_limit_exceeded"
            assert refused.value.type == "rate_limit_error"
            wait_s = int(refused.value.response.headers["retry-after"])
            assert 1 <= wait_s <= 120
            asking = asyncio.ensure_future(ask(client.api.with_options(max_retries=2)))
            await client.hears(2)
        started = time.monotonic()
        answer = await asking
    assert answer.choices[0].finish_reason == "length"
    assert len(client.sent) == 3
    assert client.sent[-1].headers["x-stainless-retry-count"] == "1"
    assert time.monotonic() - started <= wait_s + 5


async def test_503_when_all_places_are_taken(narrow: Platform, make_key: Callable[..., Any]) -> None:
    others = [await make_key(), await make_key()]
    async with (
        occupied(narrow),
        queued(narrow, others[0]),
        queued(narrow, others[1]),
        Counted(narrow, max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError) as refused:
            await ask(client.api)
    assert (refused.value.status_code, refused.value.code) == (503, "unavailable")
    assert refused.value.type == "server_error"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 120


async def test_504_is_not_tried_again(narrow: Platform) -> None:
    async with occupied(narrow), Counted(narrow, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as late:
            await ask(client.api)
    assert (late.value.status_code, late.value.code) == (504, "deadline_exceeded")
    assert late.value.response.headers["x-should-retry"] == "false"
    assert len(client.sent) == 1


async def test_500_is_not_tried_again(narrow: Platform) -> None:
    """The engine failed at just this request: at the next try it would fail as well, and cost as much."""
    async with Counted(narrow, max_retries=2) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await ask(client.api, extra_body={"synthetic_fault": {"kind": "error", "token": 1}})
    assert (failed.value.status_code, failed.value.code) == (500, "engine_failed")
    assert failed.value.type == "server_error"
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert failed.value.response.headers["x-inferno-model-version"]
    assert len(client.sent) == 1


async def test_a_failure_on_the_way_is_raised_behind_the_words_that_came(narrow: Platform) -> None:
    said: list[str] = []
    async with Counted(narrow, max_retries=2) as client:
        stream = await ask(
            client.api, stream=True, max_tokens=9, extra_body={"synthetic_fault": {"kind": "error", "token": 4}}
        )
        with pytest.raises(openai.APIError) as failed:
            await listen(stream, said)
    assert "".join(said)
    assert failed.value.code == "engine_failed"
    assert len(client.sent) == 1


async def test_silence_is_filled_with_comments_that_the_client_takes_for_none(narrow: Platform) -> None:
    """Words come every fifth of a second, comments every twentieth: before, between and behind them."""
    async with narrow.client() as api:
        stream = await ask(api, stream=True, max_tokens=6, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 6
        raw = await api.chat.completions.with_raw_response.create(
            model="synthetic", messages=QUESTION, max_tokens=6, stream=True
        )
        text = await raw.http_response.aread()
    assert text.count(b": ping\n") >= 6
    assert b": ping\n\n" not in text.replace(b": ping\n: ping\n", b": ping\n")
    for forbidden in (b"\nid:", b"\nevent:", b"\nretry:"):
        assert forbidden not in text


async def test_an_error_is_an_error_wherever_it_comes_from(narrow: Platform) -> None:
    """Routers, the server and the framework included: one shape, one type, a request's id."""
    url = narrow.base_url.removesuffix("/v1")
    async with httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {narrow.key}"}) as http:
        answers = [
            await http.get("/nowhere"),
            await http.put("/v1/models"),
            await http.post("/v1/chat/completions", content=b"{"),
            await http.post("/v1/chat/completions", content=b"{}", headers={"authorization": "Bearer x"}),
            await http.get("/v1/models/none"),
            await http.get("/healthz", headers={"x": "y" * 40_000}),
            await http.request("BREW", "/healthz"),
        ]
    assert [answer.status_code for answer in answers] == [404, 405, 400, 401, 404, 431, 400]
    for answer in answers:
        error = answer.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-request-id"]
