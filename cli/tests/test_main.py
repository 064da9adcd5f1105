import subprocess
import sys
from pathlib import Path

import pytest

from inferno_cli.main import COMMANDS, app


def inferno(home: Path, *args: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "inferno_cli.main", *args]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "INFERNO_HOME": str(home)} | settings
    return subprocess.run(argv, env=env, text=True, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("place", COMMANDS)
def test_each_command_can_be_found(place: str) -> None:
    assert place.rpartition(":")[2] in app.resolved_commands()


def test_help_names_every_command(tmp_path: Path) -> None:
    said = inferno(tmp_path, "--help").stdout
    assert all(place.rpartition(":")[2] in said for place in COMMANDS)


@pytest.mark.parametrize(
    ("args", "settings", "said"),
    [
        (["status"], {}, "No stack runs in"),
        (["restart", "api-0"], {}, "No stack runs in"),
        (["logs", "api-0"], {}, "There is no log of api-0"),
        (["run", "teapot"], {}, "There are: agent, api"),
        (["status"], {"INFERNO_PORT": "many"}, "INFERNO_PORT"),
    ],
)
def test_what_can_not_be_done_is_said(tmp_path: Path, args: list[str], settings: dict[str, str], said: str) -> None:
    done = inferno(tmp_path, *args, **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_down_of_nothing_is_no_fault(tmp_path: Path) -> None:
    done = inferno(tmp_path, "down")
    assert done.returncode == 0
    assert "was not running" in done.stdout
