import threading
from pathlib import Path

import pytest
from inferno_backend import adapter, engines, lifeline
from inferno_backend.seam import Call, Reply
from triton_python_backend_utils import Request, Sender


class Engine:
    """Ignores cancellations of what it does not know, as engines do; its `start` waits for `gate`."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running: dict[str, Reply] = {}
        self.cancelled = threading.Event()

    def start(self, call: Call, reply: Reply) -> None:
        # A client that is gone already would be noticed within this time.
        self.gate.wait(0.3)
        self.running[call.id] = reply

    def cancel(self, id: str) -> None:
        if self.running.pop(id, None) is not None:
            self.cancelled.set()

    def close(self) -> None:
        return


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine()
    monkeypatch.setattr(engines, "make", lambda config, folder: engine)
    monkeypatch.setattr(lifeline, "be_watched", lambda: None)
    monkeypatch.setattr(adapter, "_settle", lambda: None)
    return engine


@pytest.fixture
def model(engine: Engine, tmp_path: Path) -> adapter.TritonPythonModel:
    model = adapter.TritonPythonModel()
    model.initialize({"model_config": "{}", "model_repository": str(tmp_path), "model_version": "1"})
    return model


def test_a_client_that_is_gone_at_the_start_does_not_keep_the_engine(engine: Engine, model: adapter.TritonPythonModel):
    sender = Sender()
    sender.cancelled = True
    model.execute([Request(sender, {"openai_body": "{}"})])
    assert engine.cancelled.wait(5)
    model.finalize()
    assert sender.sent == [(None, True)]


def test_what_can_not_be_read_is_refused(engine: Engine, model: adapter.TritonPythonModel):
    sender = Sender()
    model.execute([Request(sender, {"openai_body": "no JSON"})])
    model.finalize()
    ((response, final),) = sender.sent
    assert final
    assert response is not None
    assert "invalid_request" in response.values["error"][0]
    assert engine.running == {}


def test_what_still_runs_is_ended_with_the_model(engine: Engine, model: adapter.TritonPythonModel):
    engine.gate.set()
    sender = Sender()
    model.execute([Request(sender, {"openai_body": "{}"})])
    model.finalize()
    ((response, final),) = sender.sent
    assert final
    assert response is not None
    assert "unavailable" in response.values["error"][0]
    assert engine.running == {}
