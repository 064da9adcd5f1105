import threading
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from inferno_backend import adapter, engines, gauges, lifeline
from triton_python_backend_utils import Request, Sender

from inferno_core import session as wire


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    monkeypatch.setattr(engines, "make", lambda config, folder: engine)
    monkeypatch.setattr(gauges, "open", lambda config, version: None)
    monkeypatch.setattr(lifeline, "be_watched", lambda: None)
    monkeypatch.setattr(adapter, "_settle", lambda: None)
    return engine


@pytest.fixture
def model(engine: FakeEngine, tmp_path: Path) -> adapter.TritonPythonModel:
    model = adapter.TritonPythonModel()
    model.initialize(
        {"model_config": '{"name": "m"}', "model_repository": str(tmp_path), "model_version": "1"},
    )
    return model


def test_a_client_that_is_gone_at_the_start_does_not_keep_the_engine(
    engine: FakeEngine, model: adapter.TritonPythonModel
):
    engine.gate.clear()
    sender = Sender()
    sender.cancelled = True
    model.execute([Request(sender, {"openai_body": "{}"})])
    engine.until(lambda: engine.cancelled)
    model.finalize()
    assert sender.sent == [(None, True)]


def test_what_can_not_be_read_is_refused(engine: FakeEngine, model: adapter.TritonPythonModel):
    sender = Sender()
    model.execute([Request(sender, {"openai_body": "no JSON"})])
    model.finalize()
    ((response, final),) = sender.sent
    assert final
    assert response is not None
    assert "invalid_request" in response.values["error"][0]
    assert engine.replies == {}


def test_what_still_runs_is_ended_with_the_model(engine: FakeEngine, model: adapter.TritonPythonModel):
    sender = Sender()
    model.execute([Request(sender, {"openai_body": "{}"})])
    model.finalize()
    ((response, final),) = sender.sent
    assert final
    assert response is not None
    assert "unavailable" in response.values["error"][0]
    assert engine.replies == {}
    assert engine.closed


def test_a_session_is_answered_and_its_commands_are_received_at_once(
    engine: FakeEngine, model: adapter.TritonPythonModel
):
    attach, control = Sender(), Sender()
    model.execute([Request(attach, {wire.ATTACH_INPUT: wire.encode(wire.Attach("s"))})])
    submit = wire.Submit(1, "g", "q/0", 1, "chat", b'{"messages": []}', priority=3, allowance=7)
    model.execute([Request(control, {wire.COMMANDS_INPUT: wire.encode(wire.Commands("s", 1, (submit,)))})])
    assert control.sent == [(None, True)]
    call = engine.call("g")
    assert (call.surface, call.body, call.priority, call.allowance) == ("chat", {"messages": []}, 3, 7)
    model.finalize()


@pytest.mark.parametrize("name", [wire.ATTACH_INPUT, wire.COMMANDS_INPUT])
def test_a_session_that_can_not_be_read_is_refused(model: adapter.TritonPythonModel, name: str):
    sender = Sender()
    model.execute([Request(sender, {name: b"\x93nonsense"})])
    ((response, final),) = sender.sent
    assert final
    assert response is not None
    assert response.error is not None
    assert response.error.code == "invalid"
    model.finalize()


@pytest.mark.parametrize(
    "inputs",
    [
        {"text_input": "Hi", "sampling_parameters": '{"n": 1e999}'},
        {"text_input": "Hi", "priority": []},
        {"openai_body": "{}", "priority": "high"},
        {wire.ATTACH_INPUT: []},
        {wire.COMMANDS_INPUT: b""},
    ],
)
def test_whatever_a_request_is_it_and_those_after_it_are_answered(
    engine: FakeEngine, model: adapter.TritonPythonModel, inputs: dict[str, str | bytes | list[int]]
):
    odd, sound = Sender(), Sender()
    model.execute([Request(odd, inputs), Request(sound, {"openai_body": "{}", "generation_id": "sound"})])
    engine.end("sound")
    model.finalize()
    for sender in (odd, sound):
        assert [final for _, final in sender.sent].count(True) == 1
        assert sender.sent[-1][1]


def test_an_engine_that_breaks_at_a_start_breaks_that_alone(engine: FakeEngine, model: adapter.TritonPythonModel):
    engine.refuses = RuntimeError("/a/path")
    senders = [Sender(), Sender()]
    model.execute([Request(sender, {"openai_body": "{}"}) for sender in senders])
    model.finalize()
    for sender in senders:
        ((response, final),) = sender.sent
        assert final
        assert response is not None
        assert "engine_failed" in response.values["error"][0]
        assert "/a/path" not in response.values["error"][0]


def test_commands_are_answered_even_if_at_first_there_is_no_room(model: adapter.TritonPythonModel):
    control = Sender(refusals=3)
    model.execute([Request(control, {wire.COMMANDS_INPUT: wire.encode(wire.Commands("s", 1, ()))})])
    model.finalize()
    assert control.sent == [(None, True)]


def test_a_dead_engine_is_told_to_all_and_ends_the_process(
    engine: FakeEngine, model: adapter.TritonPythonModel, monkeypatch: pytest.MonkeyPatch
):
    ended = threading.Event()
    monkeypatch.setattr(adapter.os, "_exit", lambda code: engine.closed and ended.set())
    attach, alone = Sender(), Sender()
    model.execute([Request(attach, {wire.ATTACH_INPUT: wire.encode(wire.Attach("s"))})])
    submit = wire.Submit(1, "g", "q/0", 1, "chat", b"{}")
    model.execute([Request(Sender(), {wire.COMMANDS_INPUT: wire.encode(wire.Commands("s", 1, (submit,)))})])
    model.execute([Request(alone, {"openai_body": "{}"})])
    engine.key("g")
    engine.dead = "It was killed."
    assert ended.wait(10)
    last = [wire.decode_message(data) for response, _ in attach.sent[-1:] for data in response.values["session"]][-1]
    assert (last.bye, attach.sent[-1][1]) == ("retiring", True)
    told = [
        ending
        for response, _ in attach.sent
        for data in response.values["session"]
        for ending in wire.decode_message(data).endings
    ]
    assert [ending.failure.code for ending in told if ending.failure is not None] == ["engine_lost"]
    assert "engine_lost" in alone.sent[-1][0].values["error"][0]


def test_a_dead_engine_that_can_not_be_closed_does_not_keep_the_process(
    engine: FakeEngine, model: adapter.TritonPythonModel, monkeypatch: pytest.MonkeyPatch
):
    ended, hangs = threading.Event(), threading.Event()
    monkeypatch.setattr(adapter.os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(adapter, "_CLOSE_S", 0.1)
    monkeypatch.setattr(engine, "close", hangs.wait)
    engine.dead = "It hangs."
    assert ended.wait(10)
    hangs.set()
