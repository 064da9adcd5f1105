import gc
import logging
import weakref
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from inferno_api.exchange import Exchange
from inferno_api.middleware import Errors
from inferno_core.errors import InvalidRequest

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "a private word"}]}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("GET", "/v1/models/", 404, "model_not_found"),
        ("POST", "/v1/responses", 404, "not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("POST", "/v1/chat/completions", 400, "invalid_request"),
    ],
)
async def test_every_refusal_has_one_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"]


async def test_what_nobody_foresaw_leaks_nothing(client: httpx.AsyncClient, world: Any) -> None:
    def script(draft: Any) -> Any:
        raise RuntimeError("a secret detail")

    world.script = script
    answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]


async def test_a_body_may_have_its_bytes_and_no_more(client: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        while True:
            yield b"x" * 1000

    for content in (b"x" * 20_001, endless()):
        answer = await client.post("/v1/completions", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(("sent", "kept"), [("my-id_1", True), ("", False), ("a b", False), ("x" * 65, False)])
async def test_a_plain_request_id_is_the_clients_own(client: httpx.AsyncClient, sent: str, kept: bool) -> None:
    answer = await client.get("/healthz", headers={"x-request-id": sent})
    assert (answer.headers["x-request-id"] == sent) == kept
    assert answer.headers["x-request-id"]


async def test_the_log_line_has_facts_and_no_content(
    client: httpx.AsyncClient, world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await client.post("/v1/chat/completions", json=CHAT)
    facts = next(record.facts for record in caplog.records if record.message == "request")  # type: ignore[attr-defined]
    assert facts["route"] == "/v1/chat/completions"
    assert facts["generation_id"] == answer.json()["id"]
    assert facts["request_id"] == answer.headers["x-request-id"]
    shown = repr([record.__dict__ for record in caplog.records])
    for private in ("a private word", "Hello", world.secret.reveal()):
        assert private not in shown


async def test_probes_are_quiet(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for path in ("/healthz", "/readyz", "/metrics"):
            await client.get(path)
    assert not [record for record in caplog.records if record.name == "inferno_api"]


async def test_a_refused_body_is_let_go_at_once() -> None:
    """An error holds the frames that it passed, and these the body: megabytes, until a collector happens to run."""
    raised: list[weakref.ref[InvalidRequest]] = []

    def refusal() -> InvalidRequest:
        error = InvalidRequest("no")
        raised.append(weakref.ref(error))
        return error

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise refusal()

    async def send(message: Any) -> None:
        pass

    gc.disable()
    try:
        await Errors(refuse)({"type": "http", "headers": [], "exchange": Exchange("id")}, send, send)
        assert raised[0]() is None
    finally:
        gc.enable()
