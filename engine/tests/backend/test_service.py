import http.client
import http.server
import threading
from typing import Any

import pytest
from inferno_backend.sessions import service
from inferno_backend.sessions.service import Service


class Triton:
    """Answers each question after a model with the next of `answers`, and the last one for ever."""

    def __init__(self, *answers: int) -> None:
        left = list(answers)
        self.paths: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - the server of the class around it is `self`
                self.paths.append(handler.path)
                handler.send_response(left.pop(0) if len(left) > 1 else left[0])
                handler.end_headers()

            def log_message(handler, *args: object) -> None:  # noqa: N805 - the same
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PROBE_S", 0.01)


class Told:
    def __init__(self) -> None:
        self.proven: list[float] = []
        self.is_proven = threading.Semaphore(0)
        self.ended = threading.Event()

    def prove(self, at: float) -> None:
        self.proven.append(at)
        self.is_proven.release()


def test_a_model_that_is_unloaded_is_out_of_service():
    triton, told = Triton(400, 200, 200, 400), Told()
    Service(triton.address, "m", "3", told.prove, told.ended.set)
    assert told.ended.wait(5)
    assert triton.paths == ["/v2/models/m/versions/3/ready"] * 4
    # At first it is not known to be in service.
    assert told.proven[0] == float("-inf")
    assert len(told.proven) == 3
    triton.stop()


def test_one_that_loads_is_not():
    triton, told = Triton(400, 400, 400, 400, 400, 200), Told()
    asking = Service(triton.address, "m", "3", told.prove, told.ended.set)
    for _ in range(3):
        assert told.is_proven.acquire(timeout=5)
    assert not told.ended.is_set()
    asking.close()
    triton.stop()


def test_one_that_was_asked_for_something_was_in_service():
    triton, told = Triton(400), Told()
    Service(triton.address, "m", "3", told.prove, told.ended.set).serves()
    assert told.ended.wait(5)
    triton.stop()


def test_a_triton_that_has_shut_its_door_serves_no_more():
    triton, told = Triton(200), Told()
    Service(triton.address, "m", "3", told.prove, told.ended.set)
    for _ in range(2):
        assert told.is_proven.acquire(timeout=5)
    triton.stop()
    assert told.ended.wait(5)


def test_three_probes_of_a_closed_port_are_enough(monkeypatch: pytest.MonkeyPatch):
    failed: list[Exception] = []

    class Connection(http.client.HTTPConnection):
        def request(self, *args: Any, **options: Any) -> None:
            try:
                super().request(*args, **options)
            except Exception as error:
                failed.append(error)
                raise

    monkeypatch.setattr(http.client, "HTTPConnection", Connection)
    triton, told = Triton(200), Told()
    triton.stop()
    Service(triton.address, "m", "3", told.prove, told.ended.set).serves()
    assert told.ended.wait(5)
    assert [type(error) for error in failed] == [ConnectionRefusedError] * 3


def test_a_models_parameter_says_where_triton_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(service.ADDRESS, "here:1")
    assert service.address({}) == "here:1"
    assert service.address({"parameters": {service.PARAMETER: {"string_value": "there:2"}}}) == "there:2"
    monkeypatch.delenv(service.ADDRESS)
    assert service.address({}) == ""
