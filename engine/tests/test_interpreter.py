import sys

import pytest

from inferno_engine import interpreter
from inferno_engine.errors import SetupFailed


def test_this_python_can_serve():
    assert interpreter.problem() is None
    assert interpreter.shared_library().name == f"libpython{interpreter.version()}.so.1.0"


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interpreter, "SUPPORTED", ((3, 99),))
    assert "3.11 or 3.12" in (interpreter.problem() or "")


def test_a_python_without_shared_library_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(interpreter, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(interpreter.sysconfig, "get_config_var", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    assert "--enable-shared" in (interpreter.problem() or "")
    with pytest.raises(SetupFailed, match="libpython"):
        interpreter.shared_library()
