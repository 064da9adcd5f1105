import json
import logging

import pytest

from inferno_cli import log_records


def emit(capsys: pytest.CaptureFixture[str], form: log_records.Format) -> str:
    log_records.configure("info", form)
    log = logging.getLogger("inferno_api")
    log.info("request", extra={"facts": {"status": 200, "code": "", "route": "/v1/x\nforged line"}})
    log.debug("not shown")
    logging.getLogger("elsewhere").info("not shown")
    return capsys.readouterr().err


def test_plain_lines_hold_their_facts_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = emit(capsys, "plain").splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(r"info inferno_api: request status=200 route='/v1/x\nforged line'")


def test_json_lines_hold_their_facts_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(emit(capsys, "json"))
    assert (record["level"], record["message"], record["status"]) == ("info", "request", 200)
    assert record["time"].endswith("Z")


@pytest.mark.parametrize("form", ["plain", "json"])
def test_an_exception_is_told(capsys: pytest.CaptureFixture[str], form: log_records.Format) -> None:
    log_records.configure("info", form)
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        logging.getLogger("inferno_api").exception("failed")
    assert "ZeroDivisionError: by zero" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _restored() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
