"""Bodies that are broken, odd, deep, long, or called something else."""

import json
from collections.abc import AsyncIterator

import pytest
from tests.hostile import witness
from tests.hostile.conftest import Target
from tests.hostile.raw import Line, Reply, head, request

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

MIB = 1 << 20
PLAIN = {"model": "synthetic", "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 3}


def with_(raw: bytes) -> bytes:
    """The plain body with more JSON text in it."""
    return json.dumps(PLAIN).encode()[:-1] + b"," + raw + b"}"


BROKEN = {
    "nothing": b"",
    "space": b" \r\n\t",
    "half": json.dumps(PLAIN).encode()[:-1],
    "more than one": json.dumps(PLAIN).encode() * 2,
    "a comma too many": with_(b'"n":1,'),
    "a comment": with_(b'/* n */ "n":1'),
    "single quotes": b"{'model':'synthetic'}",
    "no quotes": b"{model:1}",
    "a list": b"[]",
    "a list of requests": b"[" + json.dumps(PLAIN).encode() + b"]",
    "a string": b'"synthetic"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "nul": b"nul",
    "zeros": b"\x00" * 1000,
    "noise": bytes(range(256)) * 16,
    "a form": b"model=synthetic&messages=1",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x05\x00",
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(PLAIN).encode(),
    "UTF-16": json.dumps(PLAIN).encode("utf-16"),
    "UTF-32": json.dumps(PLAIN).encode("utf-32"),
    "Latin-1": b'{"model":"synthetic","messages":[{"role":"user","content":"\xe9"}]}',
    "overlong UTF-8": b'{"model":"synthetic","messages":[{"role":"user","content":"\xc0\xaf"}]}',
    "a surrogate as UTF-8": b'{"model":"synthetic","messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
    "half a surrogate pair": b'{"model":"synthetic","messages":[{"role":"user","content":"\\ud800"}]}',
    "a bare control character": b'{"model":"synthetic","messages":[{"role":"user","content":"\x01"}]}',
    "an unknown escape": b'{"model":"synthetic","messages":[{"role":"user","content":"\\x41"}]}',
    "NaN": with_(b'"temperature":NaN'),
    "infinity": with_(b'"temperature":-Infinity'),
    "a huge exponent": with_(b'"temperature":1e999'),
    "a number with 5,000 digits": with_(b'"seed":' + b"9" * 5000),
    "a fraction with 5,000 digits": with_(b'"n":1.' + b"3" * 5000),
    "deep lists": with_(b'"metadata":' + b"[" * 100_000 + b"]" * 100_000),
    "deep objects": with_(b'"metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "deep lists without end": with_(b'"stop":' + b"[" * 100_000),
    "deep in a field that is not known": with_(b'"unknown":' + b"[" * 100_000 + b"]" * 100_000),
    "deep in a schema": with_(
        b'"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":'
        + b'{"items":' * 900 + b"true" + b"}" * 902
    ),
    "deep in a tool": with_(
        b'"tools":[{"type":"function","function":{"name":"a","parameters":'
        + (b'{"items":' * 900 + b"{}" + b"}" * 902 + b"]")
    ),
    "a message that is a list": b'{"model":"synthetic","messages":[[]]}',
    "messages of every kind": b'{"model":"synthetic","messages":[null,1,"a",[],{}]}',
}  # fmt: skip
"""What is a 400."""

TAKEN = {
    "a key twice": with_(b'"max_tokens":1,"max_tokens":2'),
    "a key that is written in two ways": with_(b'"max_toke\\u006es":1,"max_tokens":2'),
    "space around it": b" \r\n\t" + json.dumps(PLAIN).encode() + b"\r\n ",
    "slashes that are escaped": json.dumps(PLAIN).replace("Hi.", "\\/").encode(),
    "fields that are not known": with_(b'"unknown":{"a":[1,2,{"b":null}]},"":0,"__proto__":{},"a.b[0]":1'),
    "10,000 fields that are not known": with_(b",".join(b'"u%d":%d' % (at, at) for at in range(10_000))),
    "a name of 100,000 characters": with_(b'"' + b"u" * 100_000 + b'":1'),
    "NUL in a text": json.dumps(PLAIN).replace("Hi.", "a\\u0000b").encode(),
    "a pair of surrogates": json.dumps(PLAIN).replace("Hi.", "\\ud83d\\ude00").encode(),
    "letters of every kind": json.dumps(PLAIN, ensure_ascii=False)
    .replace("Hi.", "\u202e\ufdfa\u200b\U0001f468\u200d\U0001f469\u200d\U0001f467e\u0301\ufeff\uffff\U0010ffff")
    .encode(),
    "4 MiB that are not looked at": with_(b'"unknown":"' + b"a" * (4 * MIB) + b'"'),
}
"""What is a 200."""


async def ask(target: Target, data: bytes) -> Reply:
    """Send bytes on a connection of their own, and read the answer."""
    async with Line.to(target.address) as line:
        await line.send(data)
        reply = await line.reply()
    assert reply is not None, "the connection was closed without an answer"
    assert reply.headers["x-request-id"]
    return reply


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_body_is_refused(target: Target, name: str) -> None:
    reply = await ask(target, request(BROKEN[name], key=target.key))
    assert reply.status == 400, reply
    assert reply.error["code"] == "invalid_request"
    assert len(reply.body) < 1000


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", TAKEN)
async def test_an_odd_body_is_taken(target: Target, name: str, stream: bool) -> None:
    body = TAKEN[name].rstrip().removesuffix(b"}") + b',"stream":%b}' % (b"true" if stream else b"false")
    reply = await ask(target, request(body, key=target.key))
    assert reply.status == 200, reply
    if stream:
        assert reply.events[-1] == "[DONE]"
    else:
        assert json.loads(reply.body)["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8",
        "application/json; charset=utf-16",
        "APPLICATION/JSON",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/octet-stream",
        "image/png",
        "",
        ";",
        "a" * 10_000,
        "\xff\xfe",
    ],
)
async def test_a_body_is_what_it_is_and_not_what_it_is_called(target: Target, kind: str) -> None:
    reply = await ask(target, request(PLAIN, key=target.key, headers={"content-type": kind}))
    assert reply.status == 200
    broken = await ask(target, request(b"a=1", key=target.key, headers={"content-type": kind}))
    assert broken.status == 400
    assert broken.error["code"] == "invalid_request"


@pytest.mark.parametrize(
    "accepted", ["text/html", "image/png;q=1, */*;q=0", "text/event-stream", "gzip, br", "", ",,;q="]
)
async def test_what_is_accepted_changes_nothing(target: Target, accepted: str) -> None:
    headers = {"accept": accepted, "accept-encoding": accepted, "accept-charset": accepted}
    reply = await ask(target, request(PLAIN, key=target.key, headers=headers))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize("encoding", ["gzip", "deflate, br", "identity", "nonsense"])
async def test_a_body_is_never_unpacked(target: Target, encoding: str) -> None:
    packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x2a\x01\x00"
    reply = await ask(target, request(packed, key=target.key, headers={"content-encoding": encoding}))
    assert reply.status == 400
    assert reply.error["code"] == "invalid_request"


async def test_a_body_as_large_as_is_taken_is_read_and_judged(target: Target) -> None:
    text = "word " * ((16 * MIB - 1000) // 5)
    asked = PLAIN | {"messages": [{"role": "user", "content": text}]}
    reply = await ask(target, request(asked, key=target.key))
    assert reply.status == 400
    assert reply.error["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "value",
    [
        b'"unknown":[%b0]',
        b'"unknown":{"a":[%b0]}',
        b'"metadata":{"a":[%b0]}',
        b'"stop":[%b0]',
        b'"tools":[%b0]',
        b'"messages":[%b0]',
        b'"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"enum":[%b0]}}}',
        b'"logit_bias":{"1":[%b0]}',
    ],
    ids=lambda value: value[1:9].decode(),
)
@pytest.mark.parametrize("filler", [b"[],", b'{"":0},'], ids=["lists", "objects"])
async def test_millions_of_values_are_not_built(target: Target, value: bytes, filler: bytes) -> None:
    """Each costs a decoder a hundred bytes and more, so that 15 MiB of them would cost a gigabyte."""
    before_mib = witness.rss_mib(target.api)
    reply = await ask(target, request(with_(value % (filler * (15 * MIB // len(filler)))), key=target.key))
    assert reply.status in {400, 413}, reply
    assert reply.error["code"] in {"invalid_request", "request_too_large"}
    assert witness.rss_mib(target.api) - before_mib < 150


async def test_a_body_of_100_mb_is_refused_while_it_is_sent(target: Target) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield head({"host": "x", "authorization": f"Bearer {target.key}", "content-length": str(100 * MIB)})
        for _ in range(100):
            yield b"a" * MIB

    await refused_as_too_large(target, pieces())


async def test_a_body_of_chunks_without_end_is_refused_while_it_is_sent(target: Target) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield head({"host": "x", "authorization": f"Bearer {target.key}", "transfer-encoding": "chunked"})
        for _ in range(100):
            yield b"100000\r\n" + b"a" * MIB + b"\r\n"

    await refused_as_too_large(target, pieces())


async def refused_as_too_large(target: Target, pieces: AsyncIterator[bytes]) -> None:
    """The client still sends when it is answered, and must be able to read that."""
    before_mib = witness.rss_mib(target.api)
    async with Line.to(target.address) as line:
        reply = await line.ask(pieces)
    assert reply is not None, "the answer was lost with the connection"
    assert reply.status == 413
    assert reply.error["code"] == "request_too_large"
    assert reply.headers["connection"] == "close"
    assert witness.rss_mib(target.api) - before_mib < 100


async def test_who_has_no_key_has_no_body_read(target: Target) -> None:
    before_mib = witness.rss_mib(target.api)
    data = request(b"a" * (8 * MIB), key="inf-nobody")
    for _ in range(20):
        reply = await ask(target, data)
        assert reply.status == 401
    assert witness.rss_mib(target.api) - before_mib < 50
