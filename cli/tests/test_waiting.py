import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from inferno_cli.waiting import is_up, readiness
from inferno_local.report import ProcessReport, StackReport

LOADING = b'{"error": {"message": "loading model smollm2: 40 s of about 65 s"}}'


class Api(BaseHTTPRequestHandler):
    answer = (503, LOADING)

    def do_GET(self) -> None:
        self.send_response(self.answer[0])
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, b""), None),
        ((503, LOADING), "loading model smollm2: 40 s of about 65 s"),
        ((500, b"oops"), "/readyz answers 500"),
    ],
)
def test_what_the_api_waits_for_is_said(
    url: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, bytes], expected: str | None
) -> None:
    monkeypatch.setattr(Api, "answer", answer)
    assert readiness(url) == expected
    report = StackReport(url, processes=[ProcessReport("api-0", 1, "ready", 0, "", 0)])
    assert is_up(report) is (expected is None)


def test_no_api_yet() -> None:
    assert readiness("http://127.0.0.1:1") == "waiting for the API"
