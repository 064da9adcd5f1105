"""A connection's bytes as requests, within bounds, whatever the client sends: httptools itself bounds nothing."""

from typing import NamedTuple, Protocol

import httptools

from inferno_api.wire.overhead import Intake, Overhead
from inferno_core.errors import InfernoError, InvalidRequest


class RequestLine(NamedTuple):
    """What a request is before its body. `keeps_alive` says whether its client will ask for more."""

    method: str
    path: bytes
    query: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    keeps_alive: bool
    expects_continue: bool


class Requests(Protocol):
    """Hears what came, in order. What it raises as an `InfernoError` comes out of `feed`."""

    def begun(self) -> None:
        """The first byte of a request."""
        ...

    def asked(self, line: RequestLine) -> None:
        """A request's line and headers, whole."""
        ...

    def body(self, data: bytes) -> None:
        """A part of its body."""
        ...

    def read(self) -> None:
        """The request came in to its end."""
        ...


class Early(Exception):
    """Another request, or what may become one, came before the last one was answered."""


class RequestParser:
    """Parses one request after the other; `next` allows the one that follows."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._parser = httptools.HttpRequestParser(self)
        self._intake: Intake | None = Intake()
        self._overhead: Overhead | None = None
        self._body_bytes = 0

    @property
    def is_amid_headers(self) -> bool:
        """Whether a request has begun and its headers have not ended."""
        return self._intake is not None and self._intake.is_begun

    def next(self) -> None:
        """Allow another request: the last one was answered."""
        self._intake = Intake()

    def feed(self, data: bytes) -> None:
        """Take bytes.

        Raises:
            InfernoError: this is no request, or too much of one.
            Early: this is not yet its turn.

        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            raise _cause(error) from error
        self._count(len(data))

    def _count(self, size_bytes: int) -> None:
        if self._intake is not None:
            self._intake.took(size_bytes)
        elif self._overhead is not None:
            body_bytes, self._body_bytes = self._body_bytes, 0
            self._overhead.took(size_bytes, body_bytes)

    def _decline(self, rest: bytes) -> None:
        """Read a request that offers another protocol as one of this: the parser takes its body for that protocol's."""
        assert self._intake is not None
        line_and_headers = self._intake.declining(self._parser.get_method())
        self._intake = Intake()
        self._parser = httptools.HttpRequestParser(self)
        self.feed(line_and_headers + rest)

    # The parser's calls. What they raise comes out of it as the context of its own error.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._intake is None:
            raise Early
        if not self._intake.is_begun:
            self._intake.is_begun = True
            self._requests.begun()

    def on_url(self, part: bytes) -> None:
        """A piece of the target came."""
        if self._intake is not None:
            self._intake.add_url(part)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came; trailers are dropped."""
        if self._intake is not None:
            self._intake.add_header(name, value)

    def on_headers_complete(self) -> None:
        """Line and headers have ended."""
        parser, intake = self._parser, self._intake
        assert intake is not None
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":
            return
        line = self._line(intake)
        self._intake, self._overhead, self._body_bytes = None, Overhead(), 0
        self._requests.asked(line)

    def on_body(self, data: bytes) -> None:
        """A part of the body came."""
        self._body_bytes += len(data)
        self._requests.body(data)

    def on_message_complete(self) -> None:
        """A request came in to its end."""
        if self._overhead is not None:
            self._overhead = None
            self._requests.read()

    def _line(self, intake: Intake) -> RequestLine:
        version, method = self._parser.get_http_version(), self._parser.get_method()
        if version not in {"1.0", "1.1"}:
            raise InvalidRequest(f"HTTP/{version} is not spoken here. Use HTTP/1.1.")
        target = httptools.parse_url(intake.url)
        if not (target.path or b"").startswith(b"/") or method == b"CONNECT":
            raise InvalidRequest("The request has no path that begins with /. GET /openapi.json lists what there is.")
        return RequestLine(
            method.decode("ascii"),
            target.path,
            target.query or b"",
            version,
            intake.headers,
            keeps_alive=version == "1.1" and self._parser.should_keep_alive(),
            expects_continue=intake.has(b"expect", b"100-continue"),
        )


def _cause(error: httptools.HttpParserError) -> Exception:
    """Give what a callback raised, if it was for the client or for the connection; else what stands for all else."""
    if isinstance(error.__context__, InfernoError | Early):
        return error.__context__
    return InvalidRequest("This is no HTTP/1.1 request that can be read. Send one.")
