"""The application under its real server, over real sockets."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import uvicorn

from inferno_api.wire import protocol
from inferno_stream.fake import words


@pytest.fixture
async def url(world: Any) -> AsyncGenerator[str]:
    connection: Any = protocol.factory(world.parts.settings, world.parts.metrics.refused)
    config = uvicorn.Config(world.app, port=0, http=connection, ws="none", log_config=None, server_header=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await asyncio.wait_for(task, 10)


def request(world: Any, body: dict[str, Any]) -> bytes:
    data = json.dumps({"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}], **body}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Authorization: Bearer {world.secret.reveal()}\r\n\r\n".encode() + data


async def dial(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_a_hundred_streams_at_once_have_each_token_once(world: Any, url: str) -> None:
    texts = [f"{number} " for number in range(50)]
    world.script = lambda draft: words(*texts)
    headers = {"authorization": f"Bearer {world.secret.reveal()}"}
    body = {"model": "smollm2", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}

    async with httpx.AsyncClient(base_url=url, headers=headers, limits=httpx.Limits(max_connections=100)) as client:
        answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(100)))
    for answer in answers:
        lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        chunks = [json.loads(line) for line in lines]
        assert [chunk["token_index"] for chunk in chunks] == list(range(50))
        assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "".join(texts)
    assert len({answer.headers["x-request-id"] for answer in answers}) == 100


@pytest.mark.parametrize("stream", [True, False])
async def test_a_cut_socket_leaves_the_generation(world: Any, url: str, stream: bool) -> None:
    world.script = lambda draft: words("Hello", "")[:1]
    left = asyncio.Event()
    world.edge.detached = Noticing(left)
    _, writer = await dial(url)
    writer.write(request(world, {"stream": stream}))
    await world.asked.wait()
    writer.transport.abort()
    await asyncio.wait_for(left.wait(), 1)


class Noticing(list[str]):
    def __init__(self, event: asyncio.Event) -> None:
        super().__init__()
        self._event = event

    def append(self, item: str) -> None:
        super().append(item)
        self._event.set()


async def test_a_connection_serves_one_request_after_the_other(world: Any, url: str) -> None:
    reader, writer = await dial(url)
    for _ in range(3):
        writer.write(request(world, {"stream": True}))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200")
        assert b"server:" not in head.lower()
        await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
    writer.close()


async def test_words_arrive_before_the_answer_is_over(world: Any, url: str) -> None:
    world.script = lambda draft: words("Hello", "")[:1]
    reader, writer = await dial(url)
    writer.write(request(world, {"stream": True}))
    await asyncio.wait_for(reader.readuntil(b"Hello"), 5)
    writer.close()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/9.9\r\n\r\n", b"\x00\x01\r\n\r\n", b"POST /v1/chat/completions HTTP/1.0\r\n\r\n"]
)
async def test_what_is_no_request_is_refused(url: str, data: bytes) -> None:
    reader, writer = await dial(url)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(12), 5)
    assert answer[9:10] in {b"4", b""}
    writer.close()


@pytest.mark.parametrize(("key", "status"), [("", 401), ("own", 413)])
async def test_a_refusal_reaches_a_client_that_still_writes(world: Any, url: str, key: str, status: int) -> None:
    """Closing over unread bytes would reset the connection, and the refusal would be lost."""
    secret = world.secret.reveal() if key else "inf-unknown"
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {secret}"}) as client:
        answer = await client.post("/v1/chat/completions", content=b"x" * (20 << 20))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
