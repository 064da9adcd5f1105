"""What is no HTTP, or HTTP that no decent client speaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.hostile import witness
from tests.hostile.conftest import Target
from tests.hostile.raw import CHAT, Line, Reply, head, request

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

PLAIN = {"model": "synthetic", "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 3}
DATA = json.dumps(PLAIN).encode()


def line_(request_line: bytes, headers: bytes = b"host: x\r\n") -> bytes:
    return request_line + b"\r\n" + headers + b"\r\n"


NO_REQUEST = {
    "nonsense": line_(b"nonsense"),
    "no version": line_(b"GET /v1/models"),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2": line_(b"GET /healthz HTTP/2.0"),
    "HTTP/2 from the start": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "RTSP": line_(b"OPTIONS rtsp://x RTSP/1.0"),
    "a method that is not known": line_(b"BREW /healthz HTTP/1.1"),
    "a method in small letters": line_(b"get /healthz HTTP/1.1"),
    "CONNECT": line_(b"CONNECT example.com:443 HTTP/1.1"),
    "OPTIONS *": line_(b"OPTIONS * HTTP/1.1"),
    "no header name": line_(b"GET /healthz HTTP/1.1", b": x\r\n"),
    "no colon": line_(b"GET /healthz HTTP/1.1", b"host\r\n"),
    "space before the colon": line_(b"GET /healthz HTTP/1.1", b"host : x\r\n"),
    "a header that is folded": line_(b"GET /healthz HTTP/1.1", b"host: x\r\n x\r\n"),
    "NUL in a header": line_(b"GET /healthz HTTP/1.1", b"host: x\r\na: b\x00c\r\n"),
    "a bare carriage return": line_(b"GET /healthz HTTP/1.1", b"host: x\r\na: b\rc: d\r\n"),
    "a NUL": b"\x00",
    "zeros": bytes(5000),
}

AMBIGUOUS = {
    "two lengths": {"content-length": "5, 6"},
    "a length and chunks": {"content-length": "5", "transfer-encoding": "chunked"},
    "a negative length": {"content-length": "-5"},
    "a length with a sign": {"content-length": "+5"},
    "a length in hexadecimal": {"content-length": "0x5"},
    "a length that no number holds": {"content-length": "9" * 30},
    "a length of words": {"content-length": "five"},
    "no length at all": {"content-length": ""},
    "an unknown coding": {"transfer-encoding": "gzip"},
    "chunks that are not last": {"transfer-encoding": "chunked, identity"},
}

CHUNKS = {
    "no size": b"\r\n",
    "a size of words": b"nonsense\r\n",
    "a negative size": b"-5\r\nhello\r\n",
    "a size that no number holds": b"f" * 40 + b"\r\n",
    "more than its size": b"5\r\nhello, you\r\n",
}

TOO_MUCH = {
    "a header of 10 MB": b"GET /healthz HTTP/1.1\r\nhost: x\r\na: " + b"x" * 10_000_000 + b"\r\n\r\n",
    "a name of 1 MB": b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"x" * 1_000_000 + b": a\r\n\r\n",
    "100,000 headers": b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
    "headers without end": b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 100_000,
    "an address of 1 MB": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "a query of 1 MB": b"GET /healthz?" + b"x" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    "empty lines": b"\r\n" * 1_000_000,
    "a key of 1 MB": b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + b"x" * 1_000_000 + b"\r\n\r\n",
}


async def only_answer(target: Target, data: bytes) -> Reply:
    """Send bytes; give the one answer that they get, behind which the connection is closed."""
    async with Line.to(target.address) as line:
        await line.send(data)
        reply = await line.reply()
        assert reply is not None, "the connection was closed without an answer"
        assert await line.closed() == b""
    assert reply.headers["connection"] == "close"
    assert reply.headers["x-request-id"]
    return reply


@pytest.mark.parametrize("name", NO_REQUEST)
async def test_what_is_no_request_is_refused(target: Target, name: str) -> None:
    reply = await only_answer(target, NO_REQUEST[name])
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_a_body_whose_end_is_unclear_is_refused(target: Target, name: str) -> None:
    """Two servers that disagree about it are how a request is smuggled past the first."""
    headers = {"host": "x", "authorization": f"Bearer {target.key}", **AMBIGUOUS[name]}
    reply = await only_answer(target, head(headers) + b"hello" + request(PLAIN, key=target.key))
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"


@pytest.mark.parametrize("name", CHUNKS)
async def test_a_broken_chunk_is_refused(target: Target, name: str) -> None:
    headers = {"host": "x", "authorization": f"Bearer {target.key}", "transfer-encoding": "chunked"}
    reply = await only_answer(target, head(headers) + CHUNKS[name])
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"


@pytest.mark.parametrize("name", TOO_MUCH)
async def test_too_much_before_the_body_is_refused(target: Target, name: str) -> None:
    before_mib = witness.rss_mib(target.api)
    reply = await only_answer(target, TOO_MUCH[name])
    assert reply.status == 431
    assert reply.error["code"] == "headers_too_large"
    assert witness.rss_mib(target.api) - before_mib < 20


@pytest.mark.parametrize(
    ("piece", "ended_by"),
    [
        (b"1;" + b"x" * 100_000 + b"\r\na\r\n", 400),
        (b"1" + b";x=y" * 1000 + b"\r\na\r\n", 400),
        (b"1;" + b"x" * 100_000, 400),
        (b"0\r\n" + b"x-trailer: y\r\n" * 10_000, 400),
    ],
    ids=["long extensions", "many extensions", "an extension without end", "trailers without end"],
)
async def test_what_is_sent_beside_a_body_is_bounded(target: Target, piece: bytes, ended_by: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield head({"host": "x", "authorization": f"Bearer {target.key}", "transfer-encoding": "chunked"})
        for _ in range(200):
            yield piece

    async with Line.to(target.address) as line:
        reply = await line.ask(pieces())
    assert reply is not None
    assert reply.status == ended_by
    assert reply.error["code"] == "invalid_request"


async def test_decent_chunks_extensions_and_trailers_are_read(target: Target) -> None:
    headers = {"host": "x", "authorization": f"Bearer {target.key}", "transfer-encoding": "chunked"}
    chunks = b"".join(b"%x;a=b\r\n%c\r\n" % (1, byte) for byte in DATA)
    async with Line.to(target.address) as line:
        await line.send(head(headers) + chunks + b"0\r\nx-checked: yes\r\n\r\n")
        reply = await line.reply()
    assert reply is not None
    assert reply.status == 200


async def test_a_trailer_is_no_key(target: Target) -> None:
    chunks = b"%x\r\n%b\r\n0\r\nauthorization: Bearer %b\r\n\r\n" % (len(DATA), DATA, target.key.encode())
    async with Line.to(target.address) as line:
        await line.send(head({"host": "x", "transfer-encoding": "chunked"}) + chunks)
        reply = await line.reply()
    assert reply is not None
    assert reply.status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic abc"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Bearer \xff\xfe"},
        {"authorization": "bearer inf-" + "a" * 52},
        {"authorization": "Bearer inf-' OR 1=1 --"},
        {"authorization": "Bearer " + "a" * 20_000},
        {"authorization": ""},
        {"x-api-key": "KEY"},
        {"api-key": "KEY"},
        {"cookie": "authorization=KEY"},
    ],
)
async def test_what_is_no_key_opens_nothing(target: Target, headers: Mapping[str, str]) -> None:
    sent = {name: value.replace("KEY", target.key) for name, value in headers.items()}
    async with Line.to(target.address) as line:
        await line.send(head({"host": "x", "content-length": str(len(DATA)), **sent}) + DATA)
        reply = await line.reply()
    assert reply is not None
    assert reply.status == 401
    assert reply.error["code"] == "invalid_api_key"
    assert target.key not in reply.body.decode()


async def test_two_keys_are_none(target: Target) -> None:
    data = request(PLAIN, key=target.key).replace(b"host:", b"authorization: Bearer x\r\nhost:")
    async with Line.to(target.address) as line:
        await line.send(data)
        reply = await line.reply()
    assert reply is not None
    assert reply.status == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("PUT", CHAT, 405),
        ("DELETE", "/v1/models/synthetic", 405),
        ("TRACE", CHAT, 405),
        ("PATCH", "/v1/embeddings", 405),
        ("POST", "/healthz", 405),
        ("POST", "/v1/responses", 404),
        ("GET", "/v1/responses/resp_1", 404),
        ("POST", "/v1/files", 404),
        ("GET", "/v1/batches", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("POST", "/v1//chat/completions", 404),
        ("POST", "/v1/chat%2Fcompletions", 200),
        ("POST", "/V1/chat/completions", 404),
        ("GET", "/v1/models/../../metrics", 404),
        ("GET", "/v1/models/%2e%2e%2f%2e%2e%2fmetrics", 404),
        ("GET", "/v1/models/%00", 404),
        ("GET", "/v1/models/%ff%fe", 400),
        ("GET", "/v1/models/" + "%F0%9F%92%A9" * 300, 404),
        ("GET", "/" + "a/" * 3000, 404),
        ("GET", "http://elsewhere.example/healthz", 200),
        ("GET", "//elsewhere.example/healthz", 404),
        ("GET", "healthz", 400),
        ("GET", "/v1/models?" + "a=b&" * 1000, 200),
        ("HEAD", "/v1/models", 200),
        ("OPTIONS", CHAT, 405),
    ],
)
async def test_paths_and_methods(target: Target, method: str, path: str, status: int) -> None:
    async with Line.to(target.address) as line:
        await line.send(request(PLAIN, key=target.key, method=method, path=path))
        reply = await line.reply(to_head=method == "HEAD")
    assert reply is not None
    assert reply.status == status, reply
    if status >= 400:
        assert reply.error["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("connection", ["close", "keep-alive"])
async def test_an_older_client_can_read_its_answer(target: Target, stream: bool, connection: str) -> None:
    """HTTP/1.0 has no chunks: the end of the answer is the end of the connection, or told by its length."""
    asked = request(PLAIN | {"stream": stream}, key=target.key, version="1.0", headers={"connection": connection})
    async with Line.to(target.address) as line:
        await line.send(asked)
        reply = await line.reply()
        assert reply is not None
        assert reply.status == 200
        assert "transfer-encoding" not in reply.headers
        if stream:
            assert reply.events[-1] == "[DONE]"
        else:
            assert json.loads(reply.body)["object"] == "chat.completion"


@pytest.mark.parametrize("offered", ["websocket", "h2c", "TLS/1.0", "nonsense"])
async def test_an_offer_to_speak_something_else_is_not_taken_up(target: Target, offered: str) -> None:
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": offered, "http2-settings": "AAMAAABkAAQAAP__"}
    async with Line.to(target.address) as line:
        await line.send(request(PLAIN, key=target.key, headers=headers))
        reply = await line.reply()
    assert reply is not None
    assert reply.status == 200


async def test_who_asks_before_it_sends_is_answered_first(target: Target) -> None:
    asking = {"expect": "100-continue"}
    whole = request(PLAIN, key=target.key, headers=asking)
    async with Line.to(target.address) as line:
        await line.send(whole[: -len(DATA)])
        reply = await line.reply()
        assert reply is not None
        assert reply.status == 100
        await line.send(DATA)
        reply = await line.reply()
        assert reply is not None
        assert reply.status == 200
    for refused, status in (({"content-length": str(100 << 20)}, 413), ({"authorization": "Bearer x"}, 401)):
        async with Line.to(target.address) as line:
            await line.send(request(PLAIN, key=target.key, headers=asking | refused)[: -len(DATA)])
            reply = await line.reply()
            assert reply is not None
            assert reply.status == status
            assert reply.headers["connection"] == "close"


async def test_requests_that_are_sent_ahead_get_no_other_ones_answer(target: Target) -> None:
    """Answers come in the order of the requests, or the connection ends behind one of them."""
    asked = [{**PLAIN, "max_tokens": tokens} for tokens in (4, 2, 7)]
    async with Line.to(target.address) as line:
        await line.send(b"".join(request(body, key=target.key) for body in asked))
        answered = []
        while (reply := await line.reply()) is not None:
            assert reply.status == 200
            answered.append(json.loads(reply.body)["usage"]["completion_tokens"])
            if reply.headers.get("connection") == "close":
                break
    assert answered
    assert answered == [4, 2, 7][: len(answered)]


async def test_a_flood_of_requests_sent_ahead_takes_no_memory(target: Target) -> None:
    before_mib = witness.rss_mib(target.api)
    async with Line.to(target.address) as line:
        sending = asyncio.ensure_future(line.send([request(PLAIN, key=target.key) * 100] * 500))
        reply = await line.reply()
        assert reply is not None
        assert reply.status == 200
        line.reset()
        await asyncio.wait([sending], timeout=10)
        sending.cancel()
    await witness.until_empty(target.status)
    assert witness.rss_mib(target.api) - before_mib < 20


async def test_many_requests_on_one_connection(target: Target) -> None:
    async with Line.to(target.address) as line:
        for tokens in range(1, 40):
            broken = tokens % 3 == 0
            await line.send(request(b"{" if broken else PLAIN | {"max_tokens": tokens}, key=target.key))
            reply = await line.reply()
            assert reply is not None
            assert reply.status == (400 if broken else 200)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("x-request-id", "mine-1", True),
        ("x-request-id", "a" * 65, False),
        ("x-request-id", "a b", False),
        ("x-request-id", "\xe9", False),
        ("x-request-id", "<script>", False),
        ("x-request-id", "", False),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        ("traceparent", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", False),
        ("traceparent", "ff-" + "a" * 5000, False),
        ("traceparent", "\xff" * 100, False),
        ("x-forwarded-for", "127.0.0.1, ' OR 1=1", False),
        ("x-forwarded-proto", "javascript:", False),
        ("forwarded", "for=_hidden;" * 100, False),
        ("host", "elsewhere.example:99999", False),
        ("host", "", False),
        ("range", "bytes=0-" + ",0-" * 1000, False),
        ("if-none-match", "*", False),
        ("idempotency-key", "k" * 300, False),
        ("x-stainless-retry-count", "99999999999999999999", False),
        ("openai-organization", "\x7f", False),
    ],
)
async def test_headers_of_every_kind(target: Target, name: str, value: str, kept: bool) -> None:
    async with Line.to(target.address) as line:
        await line.send(request(PLAIN, key=target.key, headers={name: value}))
        reply = await line.reply()
    assert reply is not None
    if value == "\x7f":
        assert reply.status == 400
        return
    assert reply.status == 200, reply
    assert (reply.headers["x-request-id"] == value) is kept
