"""What a client may send around a body, counted as it comes: the parser itself bounds nothing."""

from inferno_core.errors import HeadersTooLarge, InvalidRequest

MAX_URL_BYTES = 8 << 10
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 << 10
"""The request line and all headers together, in bytes."""

_FRAMING_BYTES = 64 << 10
_FRAMING_PER_BYTE = 8
"""What chunked framing may add to a body, in bytes: a chunk of one byte takes six."""

_UPGRADE = frozenset((b"connection", b"upgrade", b"http2-settings"))


class Intake:
    """A request's line and headers, as they come in."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_begun = False
        self._size_bytes = 0
        self._raw_bytes = 0

    def add_url(self, part: bytes) -> None:
        """Take a piece of the request's target. Raises `HeadersTooLarge`."""
        self.url += part
        if len(self.url) > MAX_URL_BYTES:
            raise HeadersTooLarge(f"The URL is longer than the {MAX_URL_BYTES} bytes that are read. Shorten it.")

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Raises `HeadersTooLarge`."""
        self.headers.append((name.lower(), value))
        self._size_bytes += len(name) + len(value)
        if len(self.headers) > MAX_HEADERS:
            raise HeadersTooLarge(f"There are more than {MAX_HEADERS} headers. Send fewer.")
        self._bound(self._size_bytes)

    def took(self, size_bytes: int) -> None:
        """Count bytes that held nothing but a part of line and headers. Raises `HeadersTooLarge`."""
        self._raw_bytes += size_bytes
        self._bound(self._raw_bytes)

    def has(self, name: bytes, value: bytes) -> bool:
        """Say whether a header of that name says `value`, in whatever case."""
        return any(each == name and said.lower() == value for each, said in self.headers)

    def declining(self, method: bytes) -> bytes:
        """Write line and headers once more, without the wish to speak another protocol."""
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in _UPGRADE]
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self.url, b"".join(kept))

    def _bound(self, size_bytes: int) -> None:
        if size_bytes > MAX_HEADER_BYTES:
            raise HeadersTooLarge(f"The headers are larger than the {MAX_HEADER_BYTES} bytes that are read. Send less.")


class Overhead:
    """How much of what is sent as a body is none: sizes of chunks, their extensions, trailers."""

    def __init__(self) -> None:
        self._raw_bytes = 0
        self._body_bytes = 0

    def took(self, raw_bytes: int, body_bytes: int) -> None:
        """Count what came, and the body's part of it. Raises `InvalidRequest` where it is mostly something else."""
        self._raw_bytes += raw_bytes
        self._body_bytes += body_bytes
        if self._raw_bytes - self._body_bytes > _FRAMING_BYTES + _FRAMING_PER_BYTE * self._body_bytes:
            raise InvalidRequest(
                "The body has more chunk headers, extensions and trailers than data. Send larger chunks, or its length."
            )
