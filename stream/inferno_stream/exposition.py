"""`/metrics` and `/healthz` for processes that serve no HTTP otherwise, on loopback."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


@contextmanager
def serve(port: int, registry: CollectorRegistry, health: Callable[[], str | None]) -> Generator[int]:
    """Serve until the context is left; give the port. A `port` of 0 serves nothing.

    `health` is called in a thread; it gives None, or a sentence that `/healthz` answers with 503.
    """
    if not port:
        yield 0
        return
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(registry, health))
    thread = threading.Thread(target=server.serve_forever, name="exposition", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(registry: CollectorRegistry, health: Callable[[], str | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers the two paths."""

        def do_GET(self) -> None:
            """Answer `/metrics` or `/healthz`."""
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif self.path == "/healthz":
                trouble = health()
                status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
                self._answer(status, "text/plain; charset=utf-8", f"{trouble or 'ok'}\n".encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics and /healthz are here.\n")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: scrapes come each few seconds."""

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
