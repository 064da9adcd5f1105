from pathlib import Path
from typing import Any

import pytest

from inferno_cli.main import COMMANDS, app


@pytest.mark.parametrize("place", COMMANDS)
def test_each_command_can_be_found(place: str) -> None:
    assert place.rpartition(":")[2] in app.resolved_commands()


def test_help_names_every_command(tmp_path: Path, inferno: Any) -> None:
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
def test_what_can_not_be_done_is_said(
    tmp_path: Path, inferno: Any, args: list[str], settings: dict[str, str], said: str
) -> None:
    done = inferno(tmp_path, *args, **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_down_of_nothing_is_no_fault(tmp_path: Path, inferno: Any) -> None:
    done = inferno(tmp_path, "down")
    assert done.returncode == 0
    assert "was not running" in done.stdout
