"""A client's connection as uvicorn's server runs it: HTTP/1.x with bounds on all that a client may send or leave open.

uvicorn's own protocol bounds neither sizes nor times of headers, tells a hang-up to the newest of pipelined requests
alone, and gives HTTP/1.0 chunks. Of uvicorn this uses the configuration's `loaded_app`, and the state's sets of
connections and tasks, with its default headers.
"""

import asyncio
import fcntl
import logging
import socket
import sys
import termios
import time
import urllib.parse
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Scope
from uvicorn import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from inferno_api import failures
from inferno_api.wire.keepalive import Ticker
from inferno_api.wire.outlet import EXTENSION
from inferno_api.wire.request_parser import Early, RequestLine, RequestParser
from inferno_api.wire.turn import Turn, head
from inferno_core.errors import InfernoError, InvalidRequest, RequestTimeout, Unavailable
from inferno_core.settings import ApiSettings

IDLE_S = 75.0
"""How long an idle connection is kept: longer than the proxies before it keep theirs."""

_LINGER_S = 5.0
"""How long a refused client is heard out, in seconds: one that still writes would lose the answer to a reset."""

_SEVERED_ROUNDS = 6
"""How often a client that was given up, and takes its last words slowly, is waited for once more."""

_LINGER_BYTES = 32 << 20
_REFUSED_AT_ONCE = 1024
"""How many connections beyond the bound are told so; more than that are dropped without a word."""

_USER_TIMEOUT_SLACK_S = 10.0
_UNSENT_BYTES = 128 << 10
"""What the kernel may keep unsent of one connection: more would hide how far a client lags."""

_log = logging.getLogger("inferno_api")

OnRefusal = Callable[[InfernoError], None]


class Wire(asyncio.Protocol):
    """One connection. Requests are answered one after the other; one that is sent ahead ends the connection instead.

    `on_refusal` is told what was refused before the application saw it.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        settings: ApiSettings,
        ticker: Ticker,
        on_refusal: OnRefusal,
    ) -> None:
        self._app = cast("ASGIApp", config.loaded_app)  # pyright: ignore[reportUnknownMemberType]  # typed by assignment
        self._server = server_state
        self._app_state = app_state
        self._settings = settings
        self._ticker = ticker
        self._on_refusal = on_refusal
        self._parser = RequestParser(self)
        self._turn: Turn | None = None
        self._is_deaf = self._is_stopping = False
        self._dropped_bytes = self._unsent_bytes = self._rounds = 0
        self._due = 0.0

    # The transport's calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._local, self._peer = get_local_addr(transport), get_remote_addr(transport)
        self._wait_at_most(self._settings.header_timeout_s)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own protocols there
        self._ticker.add(self)
        _tune(transport, self._settings.slow_reader_s + _USER_TIMEOUT_SLACK_S)
        beyond = len(self._server.connections) - self._settings.max_connections
        if beyond > _REFUSED_AT_ONCE:
            transport.abort()
        elif beyond > 0:
            self._refuse(Unavailable("Too many connections are open here; try again soon.", retry_after_s=5))

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._is_deaf:
            self._drop(len(data))
            return
        try:
            self._parser.feed(data)
        except (InfernoError, Early) as error:
            self._misheard(error)

    def eof_received(self) -> None:
        """The client will say no more. It counts as gone: who hangs up looks the same."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._server.connections.discard(self)
        self._ticker.discard(self)
        if self._turn is not None:
            self._turn.lose()

    def pause_writing(self) -> None:
        """The client lags."""
        if self._turn is not None:
            self._turn.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._turn is not None:
            self._turn.resume()

    def shutdown(self) -> None:
        """The server stops: end once the answer under way is given."""
        self._is_stopping = True
        if self._turn is None:
            self._transport.close()
        else:
            self._turn.keeps_alive = False

    def tick(self, now: float) -> None:
        """End what is overdue."""
        if not self._due or now < self._due:
            return
        if self._is_deaf:
            self._end_unless_it_reads()
        elif self._parser.is_amid_headers:
            timeout_s = self._settings.header_timeout_s
            self._refuse(RequestTimeout(f"The headers did not arrive within {timeout_s:g} s. Send them faster."))
        else:
            self._transport.close()

    def _end_unless_it_reads(self) -> None:
        """End a connection that was heard out; who was cut off and still reads gets to the words that say so."""
        unsent_bytes = _unsent_bytes(self._transport)
        if not self._transport.get_write_buffer_size():
            self._transport.close()  # what is left is the kernel's, which gives it as long as the client takes it
        elif unsent_bytes < self._unsent_bytes and self._rounds:
            self._unsent_bytes, self._rounds = unsent_bytes, self._rounds - 1
            self._wait_at_most(self._settings.slow_reader_s)
        else:
            self._transport.abort()

    # The parser's calls.

    def begun(self) -> None:
        """A request begins."""
        self._wait_at_most(self._settings.header_timeout_s)

    def asked(self, line: RequestLine) -> None:
        """A request can be answered. Raises `InvalidRequest` for a path that can't be read."""
        self._due = 0.0
        scope = self._scope(line)
        turn = self._turn = Turn(
            scope,
            self._transport,
            defaults=self._server.default_headers,
            keeps_alive=line.keeps_alive and not self._is_stopping,
            expects_continue=line.expects_continue,
            on_answered=self._answered,
        )
        scope["extensions"] = {EXTENSION: turn}
        task = asyncio.get_running_loop().create_task(self._run(turn))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def body(self, data: bytes) -> None:
        """A part of the body came."""
        if self._turn is not None:
            self._turn.body(data)

    def read(self) -> None:
        """The request came in to its end."""
        if self._turn is not None:
            self._turn.read()

    # How it goes on.

    def _misheard(self, error: InfernoError | Early) -> None:
        """Refuse what was sent; while another request is being answered, hear no more and answer that one alone."""
        turn = self._turn
        if turn is not None and (turn.is_read or turn.is_begun):
            turn.keeps_alive = False
            self._is_deaf = True
            return
        if turn is not None:
            turn.lose()
        assert isinstance(error, InfernoError), "a request comes early only behind one that was read"
        self._refuse(error)

    def _scope(self, line: RequestLine) -> Scope:
        try:
            path = urllib.parse.unquote(line.path.decode("ascii"), errors="strict")
        except UnicodeDecodeError as error:
            raise InvalidRequest("The path is not written in UTF-8. GET /openapi.json lists what there is.") from error
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": line.version,
            "server": self._local,
            "client": self._peer,
            "scheme": "http",
            "root_path": "",
            "method": line.method,
            "path": path,
            "raw_path": line.path,
            "query_string": line.query,
            "headers": line.headers,
            "state": self._app_state.copy(),
        }

    async def _run(self, turn: Turn) -> None:
        """Have the application answer. What it leaves unfinished ends the connection."""
        try:
            await self._app(turn.scope, turn.receive, turn.send)
        except Exception:
            _log.exception("an answer broke off")
        finally:
            if not turn.is_answered and not turn.is_gone:
                turn.lose()
                if turn.is_begun:
                    self._transport.abort()
                else:
                    self._refuse(failures.internal())

    def _answered(self) -> None:
        turn, self._turn = self._turn, None
        assert turn is not None
        self._server.total_requests += 1
        if self._transport.is_closing():
            return
        if turn.keeps_alive:
            self._parser.next()
            self._wait_at_most(IDLE_S)
            self._transport.resume_reading()
        elif turn.is_read and not self._is_deaf and not turn.is_severed:
            self._is_deaf = True
            self._transport.close()
        else:
            self._linger(self._settings.slow_reader_s if turn.is_severed else _LINGER_S)
            self._rounds = _SEVERED_ROUNDS * turn.is_severed

    def _refuse(self, error: InfernoError) -> None:
        """Answer what the application never sees, and end the connection."""
        self._on_refusal(error)
        if self._transport.is_closing():
            return
        answer = failures.respond(error)
        id = b"req_" + uuid.uuid4().hex.encode()
        headers = [*self._server.default_headers, *answer.raw_headers, (b"x-request-id", id), (b"connection", b"close")]
        self._transport.write(head(answer.status_code, headers) + bytes(answer.body))
        self._linger(_LINGER_S)

    def _linger(self, timeout_s: float) -> None:
        """Say no more, and hear the client out for a while."""
        self._is_deaf = True
        self._unsent_bytes = _unsent_bytes(self._transport)
        self._wait_at_most(timeout_s)
        self._transport.write_eof()
        self._transport.resume_reading()

    def _drop(self, size_bytes: int) -> None:
        self._dropped_bytes += size_bytes
        if self._dropped_bytes > _LINGER_BYTES:
            self._transport.abort()

    def _wait_at_most(self, timeout_s: float) -> None:
        self._due = time.perf_counter() + timeout_s


def factory(settings: ApiSettings, on_refusal: OnRefusal) -> Callable[..., Wire]:
    """Give what makes a `Wire` for each connection, in uvicorn's own way to call it."""
    return partial(Wire, settings=settings, ticker=Ticker(settings.header_timeout_s), on_refusal=on_refusal)


def _tune(transport: asyncio.Transport, user_timeout_s: float) -> None:
    """Let the kernel end a connection whose client takes nothing, or is no more."""
    end: socket.socket | None = transport.get_extra_info("socket")
    if end is None or end.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout_s * 1000))
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _unsent_bytes(transport: asyncio.Transport) -> int:
    """Count what the client has not acknowledged: what waits here, and what the kernel keeps of it."""
    end: socket.socket | None = transport.get_extra_info("socket")
    kept = fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, bytes(4)) if end is not None else bytes(4)
    return transport.get_write_buffer_size() + int.from_bytes(kept, sys.byteorder)
