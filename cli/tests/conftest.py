"""The `inferno` command as a user runs it: a process, with a home of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Inferno = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def inferno() -> Inferno:
    return _inferno


def _inferno(home: Path, *args: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "inferno_cli.main", *args]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "INFERNO_HOME": str(home)} | settings
    return subprocess.run(argv, env=env, text=True, capture_output=True, timeout=110, check=False)
