"""What clients can do to a connection, by raw sockets against the protocol of production on its own loop."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from api.tests.wire_client import GET, Client, Server, answer, client_of, error

from inferno_api.wire import overhead, protocol


class App:
    """Echoes a body; `/wait` answers when the test says so or the client is gone, `/refuse` reads nothing."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.gone = threading.Event()
        self.proceed = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/break":
            raise ValueError("broken")
        if scope["path"] == "/refuse":
            await self._send(send, b"refused", 413)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.set()
        if scope["path"] == "/wait" and not await self._stays(receive):
            return
        length = None if scope["path"] == "/stream" else len(body)
        await self._send(send, body, 200, length)

    async def _stays(self, receive: Any) -> bool:
        gone = asyncio.ensure_future(receive())
        while not self.proceed.is_set():
            if (await asyncio.wait([gone], timeout=0.01))[0]:
                self.gone.set()
                return False
        gone.cancel()
        return True

    async def _send(self, send: Any, body: bytes, status: int, length: int | None = 7) -> None:
        headers = [] if length is None else [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def server(app: App) -> Iterator[Server]:
    with Server(app, header_timeout_s=0.4, max_connections=4) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with client_of(server) as client:
        yield client


def post(path: bytes = b"/", body: bytes = b"hello", *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = [b"POST %b HTTP/%b" % (path, version), b"host: x", b"content-length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


def test_requests_are_answered_one_after_the_other_on_one_connection(client: Client) -> None:
    for _ in range(3):
        client.say(post())
        status, headers, body = answer(client.until(b"hello"))
        assert (status, body) == (200, b"hello")
        assert "connection" not in headers


def test_a_body_of_unknown_length_is_read_and_written_in_chunks(client: Client) -> None:
    client.say(b"POST /stream HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    status, headers, body = answer(client.until(b"0\r\n\r\n"))
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert body == b"5\r\nhello\r\n0\r\n\r\n"


def test_an_older_client_gets_no_chunks_but_the_end_of_the_connection(client: Client) -> None:
    client.say(post(b"/stream", version=b"1.0"))
    status, headers, body = answer(client.rest())
    assert (status, body) == (200, b"hello")
    assert "transfer-encoding" not in headers
    assert headers["connection"] == "close"


def test_a_head_has_no_body(client: Client) -> None:
    client.say(b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert client.rest().endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_line",
    [
        b"nonsense",
        b"GET /",
        b"GET / HTTP/0.9",
        b"GET / HTTP/2.0",
        b"PRI * HTTP/2.0",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT example.com:443 HTTP/1.1",
        b"GET / SPDY/1",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_what_is_no_request_is_refused(client: Client, server: Server, request_line: bytes) -> None:
    client.say(request_line + b"\r\nhost: x\r\n\r\n")
    assert error(client.rest())["status"] == 400
    assert [refused.code for refused in server.refused] == ["invalid_request"]


@pytest.mark.parametrize(
    "header",
    [
        b"content-length: 5\r\ncontent-length: 6",
        b"content-length: 5\r\ntransfer-encoding: chunked",
        b"content-length: -1",
        b"content-length: 99999999999999999999999",
        b"transfer-encoding: gzip",
        b"bad header: 1",
        b" folded: 1",
        b"x: a\x00b",
    ],
)
def test_ambiguous_or_broken_headers_are_refused(client: Client, header: bytes) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\n" + header + b"\r\n\r\n")
    assert error(client.rest())["status"] == 400


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * overhead.MAX_URL_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (overhead.MAX_HEADERS + 1) + b"\r\n",
        b"GET / HTTP/1.1\r\na: " + b"x" * overhead.MAX_HEADER_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\na: " + b"x" * (10 << 20),
        b"GET / HTTP/1.1\r\n" + b"x" * (10 << 20),
        b"\r\n" * (1 << 20),
    ],
)
def test_too_much_before_the_body_is_refused_at_once(client: Client, data: bytes) -> None:
    client.flood(data, 1)
    assert error(client.rest())["code"] == "headers_too_large"


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nhost: x\r\n"])
def test_headers_have_their_time(client: Client, data: bytes) -> None:
    client.say(data)
    refused = error(client.rest())
    assert (refused["status"], refused["code"]) == (408, "request_timeout")


def test_a_trickle_does_not_lengthen_that_time(client: Client) -> None:
    client.say(b"GET / HTTP/1.1\r\n")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.05):
            client.flood(b"a: b\r\n", 1)

    trickling = threading.Thread(target=trickle)
    trickling.start()
    try:
        assert b" 408 " in client.until(b"\r\n")
    finally:
        stop.set()
        trickling.join()


def test_a_client_that_says_nothing_is_let_go(client: Client) -> None:
    assert client.rest() == b""


def test_an_idle_connection_has_its_own_time(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setattr(protocol, "IDLE_S", 0.3)
    client.say(post())
    client.until(b"hello")
    assert client.rest() == b""


@pytest.mark.parametrize(
    "flood",
    [
        b"1;" + b"x" * 1000 + b"\r\ny\r\n",
        b"0\r\n" + b"x-trailer: y\r\n" * 10_000,
        b"1;" + b"x" * 200_000,
    ],
)
def test_a_body_that_is_mostly_something_else_is_refused(client: Client, flood: bytes) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    client.flood(flood, 200)
    assert error(client.rest())["status"] == 400


def test_trailers_are_dropped(client: Client) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n")
    assert answer(client.until(b"hello"))[0] == 200


def test_a_body_of_small_chunks_is_taken(client: Client) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")
    client.say(b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n")
    assert len(answer(client.rest())[2]) == 100_000


def test_a_broken_chunk_is_refused(client: Client, app: App) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n")
    assert error(client.rest())["status"] == 400
    assert app.gone.wait(5)


def test_a_large_body_comes_in_whole(client: Client) -> None:
    body = b"x" * (5 << 20)
    reading = threading.Thread(target=client.say, args=(post(b"/", body, b"connection: close"),))
    reading.start()
    assert answer(client.rest())[2] == body
    reading.join()


def test_who_announces_a_body_is_asked_for_it(client: Client) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.say(b"hello")
    assert answer(client.until(b"hello"))[0] == 200


def test_who_is_refused_is_not_asked_for_the_body(client: Client) -> None:
    client.say(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n")
    status, headers, _ = answer(client.until(b"refused"))
    assert (status, headers["connection"]) == (413, "close")


def test_a_refusal_reaches_a_client_that_still_writes(client: Client) -> None:
    client.say(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n")
    client.flood(b"x" * (1 << 20), 20)
    status, headers, body = answer(client.rest())
    assert (status, headers["connection"], body) == (413, "close", b"refused")


def test_a_body_without_end_is_not_heard_for_ever(client: Client) -> None:
    client.say(b"POST /refuse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    client.flood(b"10000\r\n" + b"x" * 0x10000 + b"\r\n", 1000)
    client.rest()


def test_what_is_sent_ahead_ends_the_connection_behind_the_first_answer(client: Client, app: App) -> None:
    client.say(post() + post(b"/", b"again") + b"nonsense")
    status, headers, body = answer(client.rest())
    assert (status, body) == (200, b"hello")
    assert headers["connection"] == "close"


def test_a_hang_up_is_told_to_who_answers(client: Client, app: App) -> None:
    client.say(post(b"/wait"))
    assert app.asked.wait(5)
    client.close()
    assert app.gone.wait(5)


def test_a_hang_up_is_told_whatever_was_sent_ahead(client: Client, app: App) -> None:
    client.say(post(b"/wait") + GET + GET)
    assert app.asked.wait(5)
    client.close()
    assert app.gone.wait(5)


def test_a_reset_is_a_hang_up(client: Client, app: App) -> None:
    client.say(post(b"/wait"))
    assert app.asked.wait(5)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert app.gone.wait(5)


def test_a_client_that_leaves_amid_its_body_is_gone(client: Client, app: App) -> None:
    client.say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhe")
    client.close()
    assert app.gone.wait(5)


def test_connections_are_bounded_and_free_again(server: Server) -> None:
    clients = [server.client() for _ in range(4)]
    for client in clients:
        client.say(post())
        client.until(b"hello")
    with client_of(server) as fifth:
        refused = error(fifth.rest())
    assert (refused["status"], refused["code"]) == (503, "unavailable")
    for client in clients:
        client.close()
    assert server.connections.none.wait(5)
    with client_of(server) as sixth:
        sixth.say(post())
        assert b"hello" in sixth.until(b"hello")


def test_an_answer_that_breaks_off_before_it_began_is_an_error(client: Client) -> None:
    client.say(GET.replace(b"/ ", b"/break ", 1))
    refused = error(client.rest())
    assert (refused["status"], refused["code"]) == (500, "internal_error")


def test_who_asks_for_another_protocol_gets_an_answer_in_this_one(client: Client) -> None:
    client.say(
        post(b"/", b"hello", b"connection: upgrade, http2-settings", b"upgrade: h2c", b"http2-settings: AAMAAABk")
    )
    assert answer(client.until(b"hello"))[0] == 200


def test_nothing_is_left_of_connections_that_ended(server: Server) -> None:
    for _ in range(5):
        with client_of(server) as client:
            client.say(post())
            client.until(b"hello")
    assert server.connections.none.wait(5)
    assert not server.state.tasks
