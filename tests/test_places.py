"""Where a stack may stand: beside another, in odd folders, without network, with little disk."""

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ASKED = {"model": "synthetic", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 5}


def answers(stack: Any) -> bool:
    """Whether a first request is answered."""
    credentials = stack.credentials
    response = httpx.post(
        f"{credentials['url']}/v1/chat/completions",
        json=ASKED,
        headers={"Authorization": f"Bearer {credentials['api_key']}"},
        timeout=60,
    )
    return response.status_code == 200 and response.json()["usage"]["completion_tokens"] == 5


def test_a_second_stack_in_a_folder_with_spaces(stack: Any, make_stack: Any, tmp_path: Path) -> None:
    second = make_stack(tmp_path / "a home with spaces").up("--engine", "synthetic")
    assert answers(second)
    assert answers(stack)
    shared = set(map(str, second.status["endpoints"].values())) & set(map(str, stack.status["endpoints"].values()))
    assert shared == set()


def test_a_long_path(make_stack: Any, tmp_path: Path) -> None:
    assert answers(make_stack(tmp_path / ("long-" * 30)).up("--engine", "synthetic"))


def test_a_second_up_changes_nothing_and_says_so(stack: Any) -> None:
    before = stack.status["processes"]
    done = stack.command("up", "--engine", "synthetic", "--api", "2", "--workers", "2")
    assert done.returncode == 0
    assert "already" in done.stdout
    pids = [(process["name"], process["pid"]) for process in stack.status["processes"]]
    assert pids == [(process["name"], process["pid"]) for process in before]


def test_a_second_up_with_other_settings_says_that_they_wait(stack: Any) -> None:
    changed = {**stack.env, "INFERNO_SYNTHETIC__SLOTS": "2"}
    done = subprocess.run(up_argv(), env=changed, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "keeps the settings that it was started with" in done.stdout


def test_a_taken_port_is_named(make_stack: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = make_stack(INFERNO_PORT=str(port)).command("up", "--engine", "synthetic")
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "INFERNO_PORT" in done.stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, for a machine without network")
def test_a_warm_start_needs_no_network(make_stack: Any, stack: Any) -> None:
    """`stack` has installed all there is to install; a machine with loopback alone starts another one."""
    cold = make_stack()
    script = 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$@"'
    argv = ["unshare", "--map-root-user", "--net", "sh", "-c", script, "sh", *up_argv()]
    done = subprocess.run(argv, env=cold.env, text=True, capture_output=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def up_argv() -> list[str]:
    import sys

    return [sys.executable, "-m", "inferno_cli.main", "up", "--engine", "synthetic"]
