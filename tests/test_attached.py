"""Every server of the stack can be one that runs elsewhere: here, another stack's."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_a_stack_on_another_ones_servers(stack: Any, make_stack: Any) -> None:
    there = stack.status["endpoints"]
    password = json.loads((stack.home / "secrets.json").read_text())["users_password"]
    attached = make_stack(
        INFERNO_KAFKA__BOOTSTRAP_SERVERS=there["kafka"],
        INFERNO_KAFKA__QUEUE_TOPIC="another-queue",
        INFERNO_KAFKA__REPLY_TOPIC="another-response-queue",
        INFERNO_POSTGRES__DSN=there["postgres"].replace("users@", f"users:{quote(password)}@"),
        INFERNO_REDIS__URL=there["redis"],
        INFERNO_TRITON__URLS=there["triton_grpc"],
    ).up()
    assert {process["name"] for process in attached.status["processes"]} == {"worker-0", "api-0"}
    credentials = attached.credentials
    answer = httpx.post(
        f"{credentials['url']}/v1/chat/completions",
        json={"model": "synthetic", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5},
        headers={"Authorization": f"Bearer {credentials['api_key']}"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] == 5


async def test_a_triton_without_an_agent_is_served(stack: Any, make_stack: Any) -> None:
    """Its own Redis knows no agent, so the worker asks the Triton itself and says its presence."""
    attached = make_stack(INFERNO_TRITON__URLS=stack.status["endpoints"]["triton_grpc"]).up()
    names = {process["name"] for process in attached.status["processes"]}
    assert names == {"kafka", "postgres", "redis", "worker-0", "api-0"}
    async with attached.client() as client:
        models = (await client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in models] == ["synthetic"]
        asked = {"model": "synthetic", "prompt": "Hello.", "max_tokens": 5}
        assert (await client.post("/v1/completions", json=asked)).status_code == 200
